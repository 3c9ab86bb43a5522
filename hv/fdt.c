/*
 * Reads flattened device trees. One cursor walks the structure block token by token and checks
 * every step against the block's end; everything else is made of that.
 */
#include "hv/fdt.h"
#include "boot/boot_info.h"

/* Header (Devicetree Specification 0.4, 5.2): big-endian 32-bit words. */
#define FDT_MAGIC             0xd00dfeedu
#define HEADER_BYTES          40u
#define TOTALSIZE_AT          4u
#define OFF_STRUCT_AT         8u
#define OFF_STRINGS_AT        12u
#define LAST_COMP_AT          24u
#define SIZE_STRINGS_AT       32u
#define SIZE_STRUCT_AT        36u
#define FDT_OUR_VERSION       17u
#define DEFAULT_ADDRESS_CELLS 2u /* 2.3.5 */
#define DEFAULT_SIZE_CELLS    1u

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

struct cursor {
    u32 at;    /* offset of the next token */
    u32 here;  /* offset of this token */
    u32 token; /* FDT_BEGIN_NODE, FDT_END_NODE or FDT_PROP */
    const char *name;
    struct fdt_prop prop;
};

static u32 be32(const u8 *at)
{
    return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

/* Length of the string at `offset` of a block if it ends inside it, or FDT_NONE. */
static u32 bounded_strlen(const char *block, u32 bytes, u32 offset)
{
    for (u32 i = offset; i < bytes; i++) {
        if (block[i] == 0)
            return i - offset;
    }
    return FDT_NONE;
}

u32 fdt_bytes(const void *blob, u64 max)
{
    const u8 *header = blob;

    if (blob == NULL || max < HEADER_BYTES || be32(header) != FDT_MAGIC)
        return 0;
    const u32 bytes = be32(header + TOTALSIZE_AT);
    return bytes < HEADER_BYTES || bytes > max ? 0 : bytes;
}

bool fdt_open(struct fdt *fdt, const void *blob, u64 max)
{
    const u8 *header = blob;
    const u32 total = fdt_bytes(blob, max);

    if (total == 0 || be32(header + LAST_COMP_AT) > FDT_OUR_VERSION)
        return false;
    const u32 structs = be32(header + OFF_STRUCT_AT);
    const u32 strings = be32(header + OFF_STRINGS_AT);
    *fdt = (struct fdt){
        .structs_bytes = be32(header + SIZE_STRUCT_AT),
        .strings_bytes = be32(header + SIZE_STRINGS_AT),
    };
    if (structs > total || fdt->structs_bytes > total - structs || strings > total ||
        fdt->strings_bytes > total - strings)
        return false;
    fdt->structs = header + structs;
    fdt->strings = (const char *)header + strings;
    return true;
}

/* Reads the name of a node that begins; `c->at` is behind the token. */
static bool read_name(const struct fdt *fdt, struct cursor *c)
{
    const char *block = (const char *)fdt->structs;
    const u32 n = bounded_strlen(block, fdt->structs_bytes, c->at);

    if (n == FDT_NONE)
        return false;
    c->name = block + c->at;
    c->at = ALIGN_UP(c->at + n + 1, 4u);
    return true;
}

static bool read_prop(const struct fdt *fdt, struct cursor *c)
{
    if (fdt->structs_bytes - c->at < 8)
        return false;
    const u32 bytes = be32(fdt->structs + c->at);
    const u32 name = be32(fdt->structs + c->at + 4);
    c->at += 8;
    if (bytes > fdt->structs_bytes - c->at ||
        bounded_strlen(fdt->strings, fdt->strings_bytes, name) == FDT_NONE)
        return false;
    c->name = fdt->strings + name;
    c->prop = (struct fdt_prop){.at = fdt->structs + c->at, .bytes = bytes};
    c->at = ALIGN_UP(c->at + bytes, 4u);
    return true;
}

/* To the next token that means something. False: the end of the tree, or of what makes sense. */
static bool step(const struct fdt *fdt, struct cursor *c)
{
    while (c->at <= fdt->structs_bytes && fdt->structs_bytes - c->at >= 4) {
        c->here = c->at;
        c->token = be32(fdt->structs + c->at);
        c->at += 4;
        switch (c->token) {
        case FDT_NOP:
            continue;
        case FDT_BEGIN_NODE:
            return read_name(fdt, c);
        case FDT_END_NODE:
            return true;
        case FDT_PROP:
            return read_prop(fdt, c);
        default:
            return false;
        }
    }
    return false;
}

struct fdt_prop fdt_prop(const struct fdt *fdt, fdt_node node, const char *name)
{
    struct cursor c = {.at = node};

    if (node == FDT_NONE || !step(fdt, &c) || c.token != FDT_BEGIN_NODE)
        return (struct fdt_prop){NULL, 0};
    /* Properties come before the first child (5.4.1). */
    while (step(fdt, &c) && c.token == FDT_PROP) {
        if (strcmp(c.name, name) == 0)
            return c.prop;
    }
    return (struct fdt_prop){NULL, 0};
}

const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name)
{
    const struct fdt_prop p = fdt_prop(fdt, node, name);
    const char *text = (const char *)p.at;

    return p.at != NULL && bounded_strlen(text, p.bytes, 0) != FDT_NONE ? text : NULL;
}

u32 fdt_u32(const struct fdt *fdt, fdt_node node, const char *name, u32 index, u32 otherwise)
{
    const struct fdt_prop p = fdt_prop(fdt, node, name);

    return p.at != NULL && index < p.bytes / 4 ? be32(p.at + (size_t)index * 4) : otherwise;
}

fdt_node fdt_parent(const struct fdt *fdt, fdt_node node)
{
    fdt_node path[FDT_MAX_DEPTH];
    u32 depth = 0;
    struct cursor c = {0};

    while (step(fdt, &c)) {
        if (c.token == FDT_BEGIN_NODE) {
            if (c.here == node)
                return depth > 0 && depth <= FDT_MAX_DEPTH ? path[depth - 1] : FDT_NONE;
            if (depth < FDT_MAX_DEPTH)
                path[depth] = c.here;
            depth++;
        } else if (c.token == FDT_END_NODE) {
            if (depth-- == 0)
                break;
        }
    }
    return FDT_NONE;
}

/* Is the node name that of the path component [text, text + n)? The unit address may be left out.
 */
static bool is_named(const char *name, const char *text, size_t n)
{
    if (strncmp(name, text, n) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '@')
            return name[n] == 0;
    }
    return name[n] == 0 || name[n] == '@';
}

static fdt_node child(const struct fdt *fdt, fdt_node node, const char *text, size_t n)
{
    struct cursor c = {.at = node};
    u32 depth = 0;

    while (step(fdt, &c)) {
        if (c.token == FDT_BEGIN_NODE) {
            if (depth == 1 && is_named(c.name, text, n))
                return c.here;
            depth++;
        } else if (c.token == FDT_END_NODE && --depth == 0) {
            break;
        }
    }
    return FDT_NONE;
}

/* `text` is a path of n characters. */
static fdt_node find_path(const struct fdt *fdt, const char *text, size_t n)
{
    struct cursor c = {0};
    size_t at = 0;

    if (!step(fdt, &c) || c.token != FDT_BEGIN_NODE)
        return FDT_NONE;
    fdt_node node = c.here;
    while (node != FDT_NONE) {
        while (at < n && text[at] == '/')
            at++;
        if (at == n)
            break;
        size_t end = at;
        while (end < n && text[end] != '/')
            end++;
        node = child(fdt, node, text + at, end - at);
        at = end;
    }
    return node;
}

fdt_node fdt_path(const struct fdt *fdt, const char *path)
{
    return find_path(fdt, path, strlen(path));
}

/* Is `text` one of the strings of a string list? */
static bool lists(struct fdt_prop p, const char *text)
{
    const char *list = (const char *)p.at;

    for (u32 at = 0; p.at != NULL && at < p.bytes;) {
        const u32 n = bounded_strlen(list, p.bytes, at);
        if (n == FDT_NONE)
            return false;
        if (strcmp(list + at, text) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

fdt_node fdt_compatible(const struct fdt *fdt, fdt_node from, const char *compatible)
{
    struct cursor c = {.at = from == FDT_NONE ? 0 : from};

    if (from != FDT_NONE && !step(fdt, &c))
        return FDT_NONE;
    while (step(fdt, &c)) {
        if (c.token == FDT_BEGIN_NODE && lists(fdt_prop(fdt, c.here, "compatible"), compatible))
            return c.here;
    }
    return FDT_NONE;
}

/* ---- Addresses ---- */

/* A number of 1 or 2 cells. */
static u64 cells(const u8 *at, u32 n)
{
    return n == 2 ? (u64)be32(at) << 32 | be32(at + 4) : be32(at);
}

/* Entry sizes on the bus `bus`; false for what has no flat 64-bit address (PCI) or none at all. */
static bool bus_cells(const struct fdt *fdt, fdt_node bus, u32 *address, u32 *size)
{
    *address = fdt_u32(fdt, bus, "#address-cells", 0, DEFAULT_ADDRESS_CELLS);
    *size = fdt_u32(fdt, bus, "#size-cells", 0, DEFAULT_SIZE_CELLS);
    return bus != FDT_NONE && *address >= 1 && *address <= 2 && *size <= 2;
}

/* One bus up: `base` on `bus` becomes an address on the bus that `bus` is a node of (2.3.8). */
static bool translate(const struct fdt *fdt, fdt_node bus, fdt_node up, u64 bytes, u64 *base)
{
    u32 address, size, up_address, up_size;
    const struct fdt_prop ranges = fdt_prop(fdt, bus, "ranges");

    if (ranges.at == NULL || !bus_cells(fdt, bus, &address, &size) ||
        !bus_cells(fdt, up, &up_address, &up_size))
        return false;
    if (ranges.bytes == 0)
        return true; /* one to one */
    const u32 entry = 4 * (address + up_address + size);
    for (u32 at = 0; size != 0 && ranges.bytes - at >= entry; at += entry) {
        const u8 *e = ranges.at + at;
        const u64 offset = *base - cells(e, address);
        const u64 length = cells(e + (size_t)4 * (address + up_address), size);
        if (*base >= cells(e, address) && offset < length && bytes <= length - offset) {
            *base = cells(e + (size_t)4 * address, up_address) + offset;
            return true;
        }
    }
    return false;
}

bool fdt_reg(const struct fdt *fdt, fdt_node node, u32 index, u64 *base, u64 *bytes)
{
    u32 address, size;
    fdt_node bus = fdt_parent(fdt, node);
    const struct fdt_prop reg = fdt_prop(fdt, node, "reg");

    if (reg.at == NULL || !bus_cells(fdt, bus, &address, &size))
        return false;
    const u32 entry = 4 * (address + size);
    if (index >= reg.bytes / entry)
        return false;
    const u8 *e = reg.at + (size_t)index * entry;
    *base = cells(e, address);
    *bytes = size == 0 ? 0 : cells(e + (size_t)4 * address, size);
    for (;;) {
        const fdt_node up = fdt_parent(fdt, bus);
        if (up == FDT_NONE)
            return true;
        if (!translate(fdt, bus, up, *bytes, base))
            return false;
        bus = up;
    }
}

/* ---- Is it whole? ---- */

const char *fdt_fault(const void *blob, u64 max, u32 *at)
{
    struct fdt fdt;
    struct cursor c = {0};
    u32 depth = 0;

    *at = 0;
    if (fdt_bytes(blob, max) == 0)
        return "is no device tree, or longer than it can be";
    if (!fdt_open(&fdt, blob, max))
        return "has a header that cannot be true";
    while (step(&fdt, &c)) {
        *at = c.at;
        if (c.token == FDT_BEGIN_NODE)
            depth++;
        else if (depth == 0)
            break;
        else if (c.token == FDT_END_NODE)
            depth--;
    }
    *at = c.here;
    return depth == 0 && c.token == FDT_END ? NULL : "ends in the middle";
}

/* ---- The console ---- */

/* UARTs, and how wide their registers are where the tree does not say. */
static const struct {
    const char *compatible;
    u32 kind, width;
} uarts[] = {
    {"arm,pl011", BOOT_UART_PL011, 1},
    {"arm,sbsa-uart", BOOT_UART_PL011, 1},
    {"ns16550a", BOOT_UART_16550_MMIO, 1},
    {"ns16550", BOOT_UART_16550_MMIO, 1},
    {"snps,dw-apb-uart", BOOT_UART_16550_MMIO, 1},
    {"brcm,bcm2835-aux-uart", BOOT_UART_16550_MMIO, 4},
};

static bool uart_of(const struct fdt *fdt, fdt_node node, struct boot_uart *uart)
{
    const struct fdt_prop p = fdt_prop(fdt, node, "compatible");
    u64 base, bytes;
    u32 i = 0;

    while (i < ARRAY_SIZE(uarts) && !lists(p, uarts[i].compatible))
        i++;
    if (i == ARRAY_SIZE(uarts) || !fdt_reg(fdt, node, 0, &base, &bytes) || base >= BIT(47))
        return false;
    const u32 shift = fdt_u32(fdt, node, "reg-shift", 0, uarts[i].width == 4 ? 2 : 0);
    const u32 told = fdt_u32(fdt, node, "reg-io-width", 0, uarts[i].width);
    const bool mmio16550 = uarts[i].kind == BOOT_UART_16550_MMIO;
    *uart = (struct boot_uart){
        .kind = uarts[i].kind,
        .stride = mmio16550 && shift <= 2 ? 1u << shift : 1,
        .access_bytes = mmio16550 && (told == 2 || told == 4) ? told : 1,
        .from = BOOT_UART_FROM_DEVICE_TREE,
        .base = base,
    };
    if (uart->stride < uart->access_bytes)
        uart->stride = uart->access_bytes;
    return true;
}

/* The first UART that is not switched off: where a tree names no console, or ends before it does.
 */
static bool first_uart(const struct fdt *fdt, struct boot_uart *uart)
{
    for (u32 i = 0; i < ARRAY_SIZE(uarts); i++) {
        fdt_node node = FDT_NONE;
        while ((node = fdt_compatible(fdt, node, uarts[i].compatible)) != FDT_NONE) {
            const char *status = fdt_string(fdt, node, "status");
            if ((status == NULL || strncmp(status, "ok", 2) == 0) && uart_of(fdt, node, uart))
                return true;
        }
    }
    return false;
}

/* The path that /chosen or, failing that, the first serial alias names; *n is its length. */
static const char *stdout_path(const struct fdt *fdt, size_t *n)
{
    const fdt_node aliases = fdt_path(fdt, "/aliases");
    const char *path = fdt_string(fdt, fdt_path(fdt, "/chosen"), "stdout-path");

    /* "path:options", or an alias in the path's place. */
    for (*n = 0; path != NULL && path[*n] != 0 && path[*n] != ':';)
        (*n)++;
    if (*n != 0 && path[0] == '/')
        return path;
    char alias[32] = "serial0";
    if (*n != 0) {
        memset(alias, 0, sizeof(alias));
        memcpy(alias, path, *n < sizeof(alias) ? *n : sizeof(alias) - 1);
    }
    path = fdt_string(fdt, aliases, alias);
    *n = path != NULL ? strlen(path) : 0;
    return path;
}

bool fdt_console(const struct fdt *fdt, struct boot_uart *uart)
{
    size_t n;
    const char *path = stdout_path(fdt, &n);

    if (path == NULL || n == 0)
        return first_uart(fdt, uart);
    return uart_of(fdt, find_path(fdt, path, n), uart);
}
