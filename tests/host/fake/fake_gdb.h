/* The debugger's view of the fake machine (gdb.c), for tests to look at. */
#ifndef FAKE_GDB_H
#define FAKE_GDB_H

#include "fake.h"

#define FAKE_GDB_REGISTERS 12u
#define FAKE_GDB_VIRTUAL   (1ull << 63)

struct fake_gdb {
    u64 words[64][FAKE_GDB_REGISTERS];
    bool step[64];
    int hardware; /* points of arch_gdb_point() */
    u64 changed;
    u8 own[64]; /* the hypervisor's memory that may be looked at */
};

extern struct fake_gdb fake_gdb;

#endif
