/* What the checks of xfd.c and amx.c share: machine.c has the code. */
#ifndef FERMATA_XFD_CHECK_H
#define FERMATA_XFD_CHECK_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define IA32_XFD     0x1c4
#define IA32_XFD_ERR 0x1c5
#define IA32_XSS     0xda0
#define TILECFG      (1ul << 17)
#define TILEDATA     (1ul << 18)
#define TILES        (TILECFG | TILEDATA)
#define COMPACTED    (1ul << 63)
#define ALL          (7ul | 0xe0ul | TILES) /* x87, SSE, AVX, AVX-512, AMX */
#define UD           6
#define NM           7
#define GP           13

struct tilecfg {
    u8 palette, start_row, zero[14];
    u16 colsb[16];
    u8 rows[16];
} __attribute__((packed, aligned(64)));

struct area {
    u8 legacy[512];
    u64 xstate_bv, xcomp_bv, reserved[6];
    u8 extended[11 * 1024 - 576];
} __attribute__((aligned(64)));

/* Runs f(arg): the vector of the exception it raises, or -1 (rom.S). */
int attempt(void (*f)(void *), void *arg);
void main(void);
void amx_checks(void);

extern struct area area, other;
extern u8 tile_in[8][1024], tile_out[8][1024];
extern struct tilecfg full, seen;   /* all tiles 16 rows of 64 bytes; what STTILECFG gave */
extern u32 offset_cfg, offset_data; /* in the standard format */

void out8(u16 port, u8 value);
void put(const char *s);
void put_number(u32 n);
void put_hex(u64 n);
void flush(void);
void plan(void);
void check(int good, const char *name);
void equal(u64 got, u64 want, const char *name);

void *memset(void *to, int value, u64 bytes);
int same(const void *a, const void *b, u64 bytes);
void cpuid(u32 leaf, u32 sub, u32 r[4]);
int wrmsr(u32 number, u64 value); /* as attempt() */
u64 rdmsr(u32 number);            /* all ones if there is no such MSR */
void xsetbv(u64 value);
u64 xgetbv(u32 which);
void set_ts(int on);
void set_osxsave(int on);

/* Instructions for attempt(); those with a memory operand take its address, the movers a struct
 * image (move). */
void i_ldtilecfg(void *arg);
void i_sttilecfg(void *arg);
void i_sttilecfg_w1(void *arg);
void i_tilerelease(void *arg);
void i_tileloadd(void *arg);
void i_tileloaddt1(void *arg);
void i_tilestored(void *arg);
void i_tilezero(void *arg);
void i_tdpbssd(void *arg);
void i_tdpbsud(void *arg);
void i_tdpbusd(void *arg);
void i_tdpbuud(void *arg);
void i_tdpbf16ps(void *arg);
void i_fld1(void *arg);
void i_movups(void *arg);
void i_xsave(void *arg);
void i_xsaveopt(void *arg);
void i_xsavec(void *arg);
void i_xsaves(void *arg);
void i_xrstor(void *arg);
void i_xrstors(void *arg);
int move(void (*f)(void *), struct area *to, u64 mask);

/* Random contents into all tiles, XFD = 0; do they still hold it? (tile_in is what they must hold.)
 */
void fill_tiles(void);
int tiles_held(void);
void clear(struct area *a);

struct named {
    const char *name;
    void (*run)(void *);
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

#endif
