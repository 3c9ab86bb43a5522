/* What bare.c asks of bare_insn.c. */
#ifndef MODEL_X86_BARE_H
#define MODEL_X86_BARE_H

#include "tests/model/x86_64/insn.h"

struct bare_op {
    u8 *memory;
    u64 mask; /* EDX:EAX; what XGETBV read */
    u32 index;
};

/* The instruction, for attempt(); its argument is a struct bare_op. */
void (*bare_function(const struct insn *i))(void *);

#endif
