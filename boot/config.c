/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of nestling.cfg. */
#include "boot/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/config_keys.h"
#include "vmm/cpu.h"

#define LINE_MAX_BYTES 2048
#define SHOWN_BYTES    60 /* of what is refused, so that the reason fits into a line, too */

void config_defaults(struct config *config, struct machine_vm *vm)
{
	*config = (struct config){ .machine = { .vm = vm, .count = 1, .slice = CONFIG_DEFAULT_SLICE } };
	*vm = (struct machine_vm){ .options = {
					   .name = CONFIG_DEFAULT_NAME,
					   .demo = CONFIG_DEFAULT_DEMO,
					   .ram = CONFIG_DEFAULT_RAM,
					   .vcpus = 1,
					   .policy = ALLOC_LAZY_4K,
				   } };
}

_Static_assert(CONFIG_KEYS <= 32, "struct parser has a bit for each");

struct parser {
	struct config *config;
	struct vm_options defaults; /* what stands before any section; it has no name */
	struct vm_options *vm;      /* what the line is about */
	unsigned sections;
	unsigned seen; /* a bit for each key that was there before in this section */
	char *why;
	size_t why_size;
};

/* One line about what is wrong with the one that is read. */
static __attribute__((format(printf, 2, 3))) enum err refuse(struct parser *parser, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(parser->why, parser->why_size, fmt, ap);
	va_end(ap);
	return ERR_INVALID;
}

/* What the line about `text` has room for, of characters that do not spoil it: in place, for nobody reads it after that. */
static char *shown(char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	if (strlen(text) > SHOWN_BYTES)
		strcpy(text + SHOWN_BYTES, "...");
	return text;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut the blanks off both ends, in place. */
static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*text))
		text++;
	return text;
}

/* What stands between quotes, where all characters stand for themselves; only a comment may follow. */
static char *quoted(struct parser *parser, const char *name, char *at)
{
	char *end = strchr(at + 1, *at), *behind;

	if (!end) {
		refuse(parser, "%s: a quote that has no end", name);
		return NULL;
	}
	behind = trim(end + 1);
	if (*behind != '\0' && *behind != '#') {
		refuse(parser, "%s: \"%s\" behind the quote's end", name, shown(behind));
		return NULL;
	}
	*end = '\0';
	return at + 1;
}

/* What stands behind the '=', in place: without its comment and its quotes. NULL: the quotes were refused. */
static char *value_of(struct parser *parser, const struct config_key *key, char *text)
{
	char *at = trim(text), *end;

	if (*at == '"' || *at == '\'')
		return quoted(parser, key->name, at);
	for (end = at; *end != '\0'; end++)
		if (*end == '#' && (!key->is_text || end == at || is_blank(end[-1])))
			*end-- = '\0';
	return trim(at);
}

/* A VM must have a CPU to run on, whichever of the two keys comes first. The machine may have fewer than `cpus` says, though. */
static enum err check_pin(struct parser *parser)
{
	const unsigned used = parser->config->machine.cpus;
	const uint64_t pin = parser->vm->pin;

	if (used == 0 || used == CPU_MAX || pin == 0 || (pin & (BIT(used) - 1)) != 0)
		return ERR_OK;
	return refuse(parser, "pin names no CPU that is used: with cpus = %u there are 0 to %u", used, used - 1);
}

static enum err set_key(struct parser *parser, const struct config_key *key, char *value)
{
	const unsigned bit = 1u << (key - config_keys);
	enum err err;

	if (key->set_machine && parser->sections > 0)
		return refuse(parser, "%s is the machine's: it stands before the first section", key->name);
	if (key->in_a_section && parser->sections == 0)
		return refuse(parser, "%s is for a VM of several: it stands in a section [vm NAME]", key->name);
	if (parser->seen & bit && !key->begin)
		return refuse(parser, "%s is given twice", key->name);
	if (key->begin && !(parser->seen & bit))
		key->begin(parser->vm);
	parser->seen |= bit;
	err = key->set_vm ? key->set_vm(parser->vm, value) : key->set_machine(parser->config, value);
	if (err != ERR_OK)
		return refuse(parser, "%s = %s: wanted %s", key->name, shown(value), key->wanted);
	return check_pin(parser);
}

static enum err parse_key(struct parser *parser, char *line)
{
	char *equals = strchr(line, '='), *name, *value;

	if (!equals)
		return refuse(parser, "\"%s\" is not of the form key = value", shown(line));
	*equals = '\0';
	name = trim(line);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		if (strcmp(name, config_keys[i].name) != 0)
			continue;
		value = value_of(parser, &config_keys[i], equals + 1);
		return value ? set_key(parser, &config_keys[i], value) : ERR_INVALID;
	}
	return refuse(parser, "unknown key \"%s\"", shown(name));
}

/* Names are printed before lines of the console, and are words of the command line. */
static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return text[0] != '\0' && strspn(text, letters) == strlen(text) && strlen(text) < VM_NAME_ROOM;
}

static struct machine_vm *find_vm(const struct parser *parser, const char *name)
{
	struct machine_vm *vms = parser->config->machine.vm;

	for (unsigned i = 0; i < parser->sections; i++)
		if (strcmp(vms[i].options.name, name) == 0)
			return &vms[i];
	return NULL;
}

/* "[vm NAME]" */
static enum err parse_section(struct parser *parser, char *line)
{
	char *end = strchr(line, ']'), *name = line + 3;
	struct machine_vm *vm;

	if (!end || (*trim(end + 1) != '\0' && *trim(end + 1) != '#'))
		return refuse(parser, "\"%s\" is not of the form [vm NAME]", shown(line));
	*end = '\0';
	if (strncmp(line, "[vm", 3) != 0 || (*name != '\0' && !is_blank(*name)))
		return refuse(parser, "unknown section \"%s]\": sections are [vm NAME]", shown(line));
	name = trim(name);
	if (!is_name(name))
		return refuse(parser, "[vm %s]: wanted a name of up to %d letters, digits, - _ and .", shown(name),
			      VM_NAME_ROOM - 1);
	if (find_vm(parser, name))
		return refuse(parser, "there are two sections [vm %s]", name);
	vm = &parser->config->machine.vm[parser->sections++];
	*vm = (struct machine_vm){ .options = parser->defaults };
	parser->vm = &vm->options;
	strcpy(parser->vm->name, name);
	parser->seen = 0;
	return ERR_OK;
}

static enum err parse_line(struct parser *parser, char *line)
{
	line = trim(line);
	if (*line == '\0' || *line == '#')
		return ERR_OK;
	return *line == '[' ? parse_section(parser, line) : parse_key(parser, line);
}

/* A fork is called as the VM that it is of, with a number behind: two VMs of one name could not be told apart. */
static enum err check_names(struct parser *parser)
{
	for (unsigned i = 0; i < parser->sections; i++) {
		char whose[VM_NAME_ROOM], *number;

		strcpy(whose, parser->config->machine.vm[i].options.name);
		number = strrchr(whose, '.');
		if (!number || number[1] == '\0' || number[1 + strspn(number + 1, "0123456789")] != '\0')
			continue;
		*number = '\0';
		if (find_vm(parser, whose))
			return refuse(parser, "[vm %s.%s]: a fork of [vm %s] would have that name, too", whose, number + 1, whose);
	}
	return ERR_OK;
}

/* Does the VM wait for itself in the end? A circle that it is not in is another one's. */
static bool waits_for_itself(const struct machine_vm *vm, unsigned count)
{
	const struct machine_vm *other = vm->after;

	for (unsigned i = 0; i < count && other && other != vm; i++)
		other = other->after;
	return other == vm;
}

/* Each VM must get to run. */
static enum err set_order(struct parser *parser)
{
	struct machine_vm *vms = parser->config->machine.vm;

	for (unsigned i = 0; i < parser->sections; i++) {
		const struct vm_options *options = &vms[i].options;

		if (options->after[0] == '\0')
			continue;
		vms[i].after = find_vm(parser, options->after);
		if (!vms[i].after)
			return refuse(parser, "[vm %s] is to start after \"%s\", for which there is no section", options->name,
				      options->after);
	}
	for (unsigned i = 0; i < parser->sections; i++)
		if (waits_for_itself(&vms[i], parser->sections))
			return refuse(parser, "[vm %s] is to start after \"%s\", which waits for it", vms[i].options.name,
				      vms[i].options.after);
	return ERR_OK;
}

/* A byte of a text: of one in UTF-8, too, which is a guest's command line, or is printed by one. */
static bool is_of_text(char c)
{
	return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

/* Copy the line at `*at`, and go to the next one. Errors, of what is before its comment: ERR_RANGE: too long; ERR_INVALID: no text.
 */
static enum err next_line(const char *text, size_t size, size_t *at, char line[LINE_MAX_BYTES])
{
	size_t length = 0;
	enum err err = ERR_OK;
	bool comment = false;

	for (; *at < size && text[*at] != '\n' && text[*at] != '\r'; ++*at) {
		char c = text[*at];

		comment = comment || (c == '#' && (length == 0 || is_blank(line[length - 1])) && !memchr(line, '"', length) &&
				      !memchr(line, '\'', length));
		if (comment || err != ERR_OK)
			continue;
		if (!is_of_text(c))
			err = ERR_INVALID;
		else if (length == LINE_MAX_BYTES - 1)
			err = ERR_RANGE;
		else
			line[length++] = c;
	}
	if (*at + 1 < size && text[*at] == '\r' && text[*at + 1] == '\n')
		++*at;
	++*at;
	line[length] = '\0';
	return err;
}

/* What an editor puts before the text to say how it is written. Errors: ERR_INVALID: in a way that is not read here. */
static enum err skip_mark(const char *text, size_t size, size_t *at)
{
	const unsigned char *bytes = (const unsigned char *)text;

	*at = 0;
	if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		*at = 3;
	if (size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
		return ERR_INVALID;
	/* Without a mark: every other byte of plain text is 0. */
	return size >= 2 && (bytes[0] == 0) != (bytes[1] == 0) ? ERR_INVALID : ERR_OK;
}

unsigned config_room(const char *text, size_t size)
{
	unsigned count = 1;

	for (size_t at = 0; at < size; at++)
		count += text[at] == '[';
	return count;
}

enum err config_parse(struct config *config, const char *text, size_t size, char *why, size_t why_size)
{
	char line[LINE_MAX_BYTES], reason[320] = "";
	struct parser parser = {
		.config = config,
		.defaults = config->machine.vm->options,
		.vm = &parser.defaults,
		.why = reason,
		.why_size = sizeof(reason),
	};
	size_t at;

	parser.defaults.name[0] = '\0';
	if (skip_mark(text, size, &at) != ERR_OK) {
		snprintf(why, why_size, CONFIG_FILE ":1: this is UTF-16: let the editor save it as UTF-8");
		return ERR_INVALID;
	}
	for (unsigned number = 1; at < size; number++) {
		enum err err = next_line(text, size, &at, line);

		if (err == ERR_RANGE)
			err = refuse(&parser, "the line has more than %d bytes", LINE_MAX_BYTES - 1);
		else if (err != ERR_OK)
			err = refuse(&parser, "the line has a control character: it is no text");
		else
			err = parse_line(&parser, line);
		if (err != ERR_OK) {
			snprintf(why, why_size, CONFIG_FILE ":%u: %s", number, reason);
			return err;
		}
	}
	if (parser.sections == 0) {
		strcpy(parser.defaults.name, CONFIG_DEFAULT_NAME);
		config->machine.vm->options = parser.defaults;
	} else if (check_names(&parser) != ERR_OK || set_order(&parser) != ERR_OK) {
		snprintf(why, why_size, CONFIG_FILE ": %s", reason);
		return ERR_INVALID;
	}
	config->machine.count = parser.sections > 0 ? parser.sections : 1;
	return ERR_OK;
}
