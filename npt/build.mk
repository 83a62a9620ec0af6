# Every format is in every image's build and in the host tests: none may rot.
src-y  += $(wildcard npt/*.c)
host-y += $(wildcard npt/*.c)

# Runs once for 2 MiB.
flags-npt/reshape.c := -Os
