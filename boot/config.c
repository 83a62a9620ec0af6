/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of nestling.cfg. */
#include "boot/config.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 256

void config_defaults(struct vm_options *options)
{
	*options = (struct vm_options){
		.demo = CONFIG_DEFAULT_DEMO,
		.ram = CONFIG_DEFAULT_RAM,
		.policy = ALLOC_LAZY_4K,
	};
}

enum err config_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value = 0;

	if (*text < '0' || *text > '9')
		return ERR_INVALID;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return ERR_RANGE;
	if (*text != '\0') {
		unit = *text > '9' ? strchr(units, *text & ~0x20) : NULL; /* either case */
		if (!unit || text[1] != '\0')
			return ERR_INVALID;
		for (; unit >= units; unit--)
			if (__builtin_mul_overflow(value, 1024, &value))
				return ERR_RANGE;
	}
	*bytes = value;
	return ERR_OK;
}

static enum err set_text(char *to, size_t room, const char *value)
{
	if (*value == '\0' || strlen(value) >= room)
		return ERR_INVALID;
	strcpy(to, value);
	return ERR_OK;
}

static enum err set_demo(struct vm_options *options, const char *value)
{
	return set_text(options->demo, sizeof(options->demo), value);
}

static enum err set_guest(struct vm_options *options, const char *value)
{
	return set_text(options->guest, sizeof(options->guest), value);
}

static enum err set_ram(struct vm_options *options, const char *value)
{
	enum err err = config_parse_size(value, &options->ram);

	if (err == ERR_OK && (options->ram == 0 || !is_aligned(options->ram, PAGE_SIZE)))
		err = ERR_INVALID;
	return err;
}

static enum err set_policy(struct vm_options *options, const char *value)
{
	return alloc_policy_parse(value, &options->policy);
}

/* One of two words: the first means true. */
static enum err set_choice(bool *choice, const char *value, const char *yes, const char *no)
{
	*choice = strcmp(value, yes) == 0;
	return *choice || strcmp(value, no) == 0 ? ERR_OK : ERR_INVALID;
}

static enum err set_tracking(struct vm_options *options, const char *value)
{
	return set_choice(&options->software_tracking, value, "software", "hardware");
}

static enum err set_trace(struct vm_options *options, const char *value)
{
	bool on;
	enum err err = ERR_OK;

	if (strcmp(value, "json") == 0) {
		options->trace = TRACE_JSON;
	} else {
		err = set_choice(&on, value, "on", "off");
		options->trace = on ? TRACE_ON : TRACE_OFF;
	}
	return err;
}

static enum err set_serial(struct vm_options *options, const char *value)
{
	return set_choice(&options->no_serial, value, "none", "auto");
}

static enum err set_progress(struct vm_options *options, const char *value)
{
	return set_choice(&options->progress, value, "on", "off");
}

static enum err set_gdb(struct vm_options *options, const char *value)
{
	return set_choice(&options->gdb, value, "on", "off");
}

static const struct {
	const char *name;
	const char *wanted;
	enum err (*set)(struct vm_options *options, const char *value);
} keys[] = {
	{ "demo", "the name of a demo", set_demo },
	{ "guest", "a file name of less than 128 characters", set_guest },
	{ "ram", "a size like 64M, a multiple of 4K", set_ram },
	{ "policy", "one of" ALLOC_POLICY_NAMES, set_policy },
	{ "tracking", "hardware or software", set_tracking },
	{ "trace", "on, off or json", set_trace },
	{ "serial", "auto or none", set_serial },
	{ "progress", "on or off", set_progress },
	{ "gdb", "on or off", set_gdb },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
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

/* One line, its comment gone. `seen` has a bit for each key that was there before. */
static enum err parse_line(struct vm_options *options, char *line, unsigned *seen, char *why, size_t why_size)
{
	char *equals = strchr(line, '='), *key, *value;

	if (*trim(line) == '\0')
		return ERR_OK;
	if (!equals) {
		snprintf(why, why_size, "\"%s\" is not of the form key = value", trim(line));
		return ERR_INVALID;
	}
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(key, keys[i].name) != 0)
			continue;
		if (*seen & 1u << i) {
			snprintf(why, why_size, "%s is given twice", key);
			return ERR_INVALID;
		}
		*seen |= 1u << i;
		if (keys[i].set(options, value) == ERR_OK)
			return ERR_OK;
		snprintf(why, why_size, "%s = %s: wanted %s", key, value, keys[i].wanted);
		return ERR_INVALID;
	}
	snprintf(why, why_size, "unknown key \"%s\"", key);
	return ERR_INVALID;
}

/* Would this byte spoil the line that complains about it? */
static bool is_printable(char c)
{
	return (c >= ' ' && c <= '~') || is_blank(c);
}

enum err config_parse(struct vm_options *options, const char *text, size_t size, char *why, size_t why_size)
{
	unsigned seen = 0, number = 0;

	for (size_t at = 0; at < size; at++) {
		char line[LINE_MAX_BYTES], reason[LINE_MAX_BYTES + 64];
		size_t length = 0;
		bool comment = false, clean = true;

		for (number++; at < size && text[at] != '\n'; at++) {
			comment = comment || text[at] == '#';
			if (comment)
				continue;
			clean = clean && is_printable(text[at]) && length < sizeof(line) - 1;
			if (clean)
				line[length++] = text[at];
		}
		line[length] = '\0';
		if (!clean) {
			snprintf(why, why_size, CONFIG_FILE ":%u: the line is too long or not plain text", number);
			return ERR_INVALID;
		}
		if (parse_line(options, line, &seen, reason, sizeof(reason)) != ERR_OK) {
			snprintf(why, why_size, CONFIG_FILE ":%u: %s", number, reason);
			return ERR_INVALID;
		}
	}
	return ERR_OK;
}
