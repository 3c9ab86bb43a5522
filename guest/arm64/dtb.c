/*
 * Read-only reader of the flattened device tree (Devicetree Specification 0.4, chapter 5), just far
 * enough for a guest: memory, CPUs, the PL011, bootargs. All numbers in the blob are big-endian.
 */
#include "guest/arm64/cpu.h"

#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE   2
#define FDT_PROP       3
#define FDT_NOP        4
#define FDT_END        9
#define MAX_DEPTH      16

/* What is known of the node being read; it is used at its end, when all its properties were seen.
 */
struct node {
    const char *name;
    const u8 *reg;
    u32 reg_bytes;
    u32 address_cells, size_cells; /* of its children */
    bool memory, cpu, pl011;
};

static u32 be32(const u8 *p)
{
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 cells(const u8 *p, u32 count)
{
    u64 value = 0;

    for (u32 i = 0; i < count; i++)
        value = value << 32 | be32(p + 4 * i);
    return value;
}

/* True if the list of strings of `bytes` bytes contains `want`. */
static bool list_has(const u8 *list, u32 bytes, const char *want)
{
    u32 length = (u32)strlen(want) + 1;

    for (u32 at = 0; at + length <= bytes; at++)
        if ((at == 0 || list[at - 1] == 0) && !memcmp(list + at, want, length))
            return true;
    return false;
}

static void property(struct node *node, struct machine *m, const char *name, const u8 *data,
                     u32 bytes)
{
    if (!strcmp(name, "#address-cells") && bytes == 4)
        node->address_cells = be32(data);
    else if (!strcmp(name, "#size-cells") && bytes == 4)
        node->size_cells = be32(data);
    else if (!strcmp(name, "device_type")) {
        node->memory = list_has(data, bytes, "memory");
        node->cpu = list_has(data, bytes, "cpu");
    } else if (!strcmp(name, "compatible"))
        node->pl011 = list_has(data, bytes, "arm,pl011");
    else if (!strcmp(name, "reg")) {
        node->reg = data;
        node->reg_bytes = bytes;
    } else if (!strcmp(name, "bootargs") && !strcmp(node->name, "chosen") && bytes)
        m->bootargs = (const char *)data;
}

static void node_end(const struct node *node, const struct node *parent, struct machine *m)
{
    u32 a = parent->address_cells, s = parent->size_cells;

    if (!node->reg || a > 2 || s > 2 || node->reg_bytes < 4 * (a + s))
        return;
    if (node->memory && !m->ram_size) {
        m->ram_base = cells(node->reg, a);
        m->ram_size = cells(node->reg + 4 * a, s);
    } else if (node->cpu && m->cpus < MAX_CPUS) {
        m->mpidr[m->cpus++] = cells(node->reg, a);
    } else if (node->pl011 && !m->uart) {
        m->uart = cells(node->reg, a);
    }
}

bool dtb_read(const void *dtb, struct machine *m)
{
    const u8 *blob = dtb;
    struct node nodes[MAX_DEPTH] = {{.name = "", .address_cells = 2, .size_cells = 1}};
    u32 depth = 0;

    if (be32(blob) != FDT_MAGIC)
        return false;
    const u8 *p = blob + be32(blob + 8);
    const char *strings = (const char *)blob + be32(blob + 12);
    const u8 *end = blob + be32(blob + 4);

    while (p + 4 <= end) {
        u32 token = be32(p);
        p += 4;
        if (token == FDT_BEGIN_NODE) {
            if (++depth == MAX_DEPTH)
                return false;
            nodes[depth] =
                (struct node){.name = (const char *)p, .address_cells = 2, .size_cells = 1};
            p += ALIGN_UP((u32)strlen((const char *)p) + 1, 4u);
        } else if (token == FDT_PROP) {
            u32 bytes = be32(p);
            property(&nodes[depth], m, strings + be32(p + 4), p + 8, bytes);
            p += 8 + ALIGN_UP(bytes, 4u);
        } else if (token == FDT_END_NODE && depth) {
            node_end(&nodes[depth], &nodes[depth - 1], m);
            depth--;
        } else if (token != FDT_NOP) {
            return token == FDT_END;
        }
    }
    return false;
}
