/* `console =` of fermata.conf: where Fermata prints. Pure. */
#include "boot/config.h"

#define WORD_MAX  40u
#define LAST_PORT 0xfff8u

static const struct {
    const char *name;
    u32 kind; /* enum boot_console_kind */
    u16 port; /* of BOOT_CONSOLE_UART */
} names[] = {
    {"auto", BOOT_CONSOLE_AUTO, 0},     {"screen", BOOT_CONSOLE_SCREEN, 0},
    {"pci", BOOT_CONSOLE_PCI, 0},       {"off", BOOT_CONSOLE_OFF, 0},
    {"com1", BOOT_CONSOLE_UART, 0x3f8}, {"com2", BOOT_CONSOLE_UART, 0x2f8},
    {"com3", BOOT_CONSOLE_UART, 0x3e8}, {"com4", BOOT_CONSOLE_UART, 0x2e8},
};

/* What stands before the address of a UART that is given by it. */
static const struct {
    const char *prefix;
    u32 kind; /* enum boot_uart_kind */
} uarts[] = {
    {"io:", BOOT_UART_16550_IO},
    {"16550:", BOOT_UART_16550_MMIO},
    {"pl011:", BOOT_UART_PL011},
};

/* "0x3f8": *end is behind it. */
static bool hexadecimal(const char *text, u64 *value, const char **end)
{
    u32 digits = 0;

    *value = 0;
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return false;
    for (text += 2;; text++, digits++) {
        const char c = (char)(*text | 0x20);
        if (c >= '0' && c <= '9' && *text == c)
            *value = *value << 4 | (u64)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *value = *value << 4 | (u64)(c - 'a' + 10);
        else
            break;
    }
    *end = text;
    return digits >= 1 && digits <= 16;
}

/* "0xfe215040/4" behind the kind: the address, and bytes from register to register. */
static bool address(const char *text, struct boot_uart *uart, const char **problem)
{
    const char *end;
    u64 stride = 1;

    if (!hexadecimal(text, &uart->base, &end)) {
        *problem = "has no address; write one like 0x3f8";
        return false;
    }
    if (*end == '/' && uart->kind == BOOT_UART_16550_MMIO) {
        stride = (u64)(end[1] - '0');
        end += 2;
    }
    if (*end || (stride != 1 && stride != 2 && stride != 4)) {
        *problem = "goes on where it should end; write it like 16550:0xfe215040/4, the number "
                   "being 1, 2 or 4 bytes from register to register";
        return false;
    }
    if (!uart->base || uart->base > (uart->kind == BOOT_UART_16550_IO ? LAST_PORT : BIT(47) - 1) ||
        (uart->kind != BOOT_UART_16550_IO && uart->base % stride)) {
        *problem = "has an address where no UART can be";
        return false;
    }
    uart->stride = (u32)stride;
    uart->access_bytes = (u32)stride;
    return true;
}

static bool word(const char *text, struct boot_console *console, const char **problem)
{
    console->uart = (struct boot_uart){.stride = 1, .access_bytes = 1};
    console->uart.from = BOOT_UART_FROM_CONFIG;
    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i].name))
            continue;
        console->kind = names[i].kind;
        console->uart.base = names[i].port;
        console->uart.kind =
            console->kind == BOOT_CONSOLE_UART ? BOOT_UART_16550_IO : BOOT_UART_NONE;
        return true;
    }
    console->kind = BOOT_CONSOLE_UART;
    for (u32 i = 0; i < ARRAY_SIZE(uarts); i++) {
        const size_t n = strlen(uarts[i].prefix);
        console->uart.kind = uarts[i].kind;
        if (!strncmp(text, uarts[i].prefix, n))
            return address(text + n, &console->uart, problem);
    }
    *problem = "is none; write auto, screen, pci, off, com1 to com4, io:0x3f8, 16550:ADDRESS/4 or "
               "pl011:ADDRESS";
    return false;
}

/* The item up to a comma into `text` (WORD_MAX bytes), without spaces around it; returns what
 * follows the comma, or NULL at the end. Too long a one is cut, and so is none. */
static const char *next_item(const char *value, char *text)
{
    size_t n = 0;

    for (; *value == ' ' || *value == '\t'; value++)
        ;
    for (; value[n] && value[n] != ',' && n < WORD_MAX - 1; n++)
        text[n] = value[n];
    value += n;
    for (; n && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
        ;
    text[n] = 0;
    return *value ? value + 1 : NULL;
}

bool config_gdb(const char *value, struct boot_gdb *gdb, const char **problem)
{
    struct boot_console console = {0};
    char text[WORD_MAX];

    value = next_item(value, text);
    if (!word(text, &console, problem)) {
        *problem = "is no UART; write off, com2, io:0x2f8, 16550:ADDRESS/4 or pl011:ADDRESS";
        return false;
    }
    if (console.kind != BOOT_CONSOLE_UART && console.kind != BOOT_CONSOLE_OFF) {
        *problem = "has to name a UART of its own; write com2, io:0x2f8, 16550:ADDRESS/4 or "
                   "pl011:ADDRESS";
        return false;
    }
    gdb->uart = console.uart;
    gdb->wait = value != NULL;
    if (!value)
        return true;
    value = next_item(value, text);
    *problem = "is followed by what is not known; the one word there is, is wait, as in com2,wait";
    return !value && !strcmp(text, "wait");
}

bool config_console(const char *value, struct boot_console consoles[2], const char **problem)
{
    char text[WORD_MAX];

    for (u32 i = 0;; i++) {
        value = next_item(value, text);
        if (i == 2) {
            *problem = "names three; one and a mirror of it are possible";
            return false;
        }
        if (!word(text, &consoles[i], problem))
            return false;
        if (!value)
            break;
    }
    if (consoles[1].kind &&
        (consoles[0].kind == BOOT_CONSOLE_OFF || consoles[1].kind == BOOT_CONSOLE_OFF)) {
        *problem = "is off and on; write one of the two";
        return false;
    }
    return true;
}
