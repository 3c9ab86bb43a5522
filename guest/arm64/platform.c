/*
 * The machine around the arm64 guest: PL011 console, PSCI and Fermata's hypercalls by HVC.
 */
#include "guest/arm64/cpu.h"

#define PL011_DR      0x00
#define PL011_FR      0x18
#define PL011_FR_TXFF BIT(5)

#define SMCCC_VENDOR_UID 0x8600ff01u

struct machine machine = {.uart = 0x09000000};
bool on_fermata;

void arch_putc(char c)
{
    volatile u32 *uart = (volatile u32 *)machine.uart;

    while (uart[PL011_FR / 4] & PL011_FR_TXFF)
        ;
    uart[PL011_DR / 4] = (u8)c;
}

struct smccc smccc(u64 function, u64 a1, u64 a2, u64 a3)
{
    register u64 x0 __asm__("x0") = function;
    register u64 x1 __asm__("x1") = a1;
    register u64 x2 __asm__("x2") = a2;
    register u64 x3 __asm__("x3") = a3;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return (struct smccc){x0, x1, x2, x3};
}

s32 psci(u64 function, u64 a1, u64 a2, u64 a3)
{
    return (s32)smccc(function, a1, a2, a3).x0;
}

static u64 uid_is_fermata(u64 unused)
{
    struct smccc r = smccc(SMCCC_VENDOR_UID, unused, 0, 0);

    return (u32)r.x0 == FERMATA_UID_0 && (u32)r.x1 == FERMATA_UID_1 && (u32)r.x2 == FERMATA_UID_2 &&
           (u32)r.x3 == FERMATA_UID_3;
}

/* An HVC that nobody answers is Undefined, so even the question is asked under a probe. */
void platform_detect(void)
{
    struct probe p = probe_call(uid_is_fermata, 0);

    on_fermata = p.ec == EC_NONE && p.value;
}

struct hc_result hypercall(u64 function, u64 argument)
{
    struct smccc r = smccc(function, argument, 0, 0);

    return (struct hc_result){(s64)r.x0, r.x1};
}

u64 stat(u64 which)
{
    return on_fermata ? hypercall(FERMATA_HC_STAT, which).value : 0;
}

void yield(void)
{
    if (on_fermata)
        hypercall(FERMATA_HC_YIELD, 0);
    else
        __asm__ volatile("yield" ::: "memory");
}

NORETURN void arch_power_off(u32 status)
{
    /* Only Fermata's own call carries a status; SYSTEM_OFF is what everyone else understands. */
    if (on_fermata)
        hypercall(FERMATA_HC_POWER_OFF, status);
    smccc(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
