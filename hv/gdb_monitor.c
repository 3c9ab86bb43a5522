/* `monitor` commands of the gdb stub: what gdb has no words for. */
#include "hv/gdb_session.h"
#include "hv/console.h"
#include "hv/core.h"
#include "hv/report.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#define LINE_BYTES 256

void gdb_say(const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    int n = format_text_v(line, sizeof(line), fmt, args);
    va_end(args);
    gdb_begin(&gdb.out);
    gdb_byte(&gdb.out, 'O');
    gdb_hex(&gdb.out, line, n < LINE_BYTES ? (size_t)n : LINE_BYTES - 1);
    gdb_send(&gdb.out, gdb_port_put);
}

static void each_vcpu(void (*print)(const struct vcpu *v))
{
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        const struct vcpu *v = gdb_vcpu(thread);
        if (v)
            print(v);
    }
}

static void say_vms(void)
{
    static const char *const states[] = {"refused", "running", "passed", "failed"};

    for (u32 i = 0; i < nvms; i++)
        gdb_say("%s: %s, %lu MiB at gpa 0x%lx, %u vCPU(s)\n", vm_name(vms[i]),
                states[vms[i]->state], vms[i]->ram_bytes >> 20, vms[i]->ram_gpa, vms[i]->nvcpus);
}

static void say_vcpu(const struct vcpu *v)
{
    static const char *const states[] = {"off", "runnable", "halted", "stopped"};

    gdb_say("thread %u: %s.%u %s at 0x%lx, interrupts %s\n", gdb_thread(v), vm_name(v->vm), v->id,
            states[v->state], arch_vcpu_pc(v), arch_vcpu_interrupts_off(v) ? "off" : "on");
}

static void say_fp(const struct vcpu *v)
{
    const struct fp_ctx *fp = &v->fp;
    const char *state = fp->cpu != FP_NOWHERE ? fp->in_sync ? "CACHED" : "ACTIVE"
                        : fp->area.base       ? "INACTIVE"
                                              : "EMPTY";

    gdb_say("%s.%u: %s%s, units offered 0x%x, live 0x%x; area %u bytes at 0x%lx\n", vm_name(v->vm),
            v->id, state, v->pcpu->fp_owner == v ? ", owner" : "", fp->offered, fp->live,
            fp->area.bytes, (u64)(uintptr_t)fp->area.base);
    arch_gdb_fp(v);
}

static void say_counters(const struct vcpu *v)
{
    const struct fp_stats *fp = &v->fp.stats;

    gdb_say("%s.%u: exits %lu, preemptions %lu, switches %lu; FP traps %lu, loads %lu, saves %lu, "
            "scrubs %lu, grows %lu, bytes %lu\n",
            vm_name(v->vm), v->id, v->stats.exits, v->stats.preemptions, v->stats.switches,
            fp->traps, fp->loads, fp->saves, fp->scrubs, fp->grows, fp->bytes);
}

static void memory(const char *which)
{
    gdb.physical = which[0] == 'p';
    gdb_say("guest memory is addressed by %s addresses\n",
            gdb.physical ? "guest-physical" : "the guest's virtual");
}

/* The vCPUs of a VM, or of all with "", stay where they are whatever gdb resumes; or no longer. */
static void pause_vm(const char *name, bool on)
{
    u32 n = 0;

    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        struct vcpu *v = gdb_vcpu(thread);
        if (!v || (*name && strcmp(name, vm_name(v->vm)) != 0))
            continue;
        v->gdb.paused = on;
        n++;
    }
    if (n)
        gdb_say("%s: %u vCPU(s)\n", on ? "paused" : "resumed", n);
    else
        gdb_say("no running VM is called '%s'\n", name);
}

static void core(const char *name)
{
    for (u32 i = 0; i < nvms; i++) {
        if (vms[i]->state != VM_RUNNING || strcmp(name, vm_name(vms[i])) != 0)
            continue;
        gdb_say("its lines go to the console; tools/core makes a core file of them\n");
        core_vm(vms[i]);
        return;
    }
    gdb_say("no running VM is called '%s'\n", name);
}

static void power_off(void)
{
    gdb_begin(&gdb.out);
    gdb_text(&gdb.out, "OK");
    gdb_send(&gdb.out, gdb_port_put);
    report_verdict(false, "powered off by the debugger");
}

static void help(void)
{
    gdb_say("monitor vms | vcpus | fp | counters | registers | memory virtual|physical | "
            "pause [VM] | resume [VM] | core VM | power off\n");
}

static bool word(const char *command, const char *wanted)
{
    return !strcmp(command, wanted);
}

/* `wanted`, alone or with an argument behind a space. */
static bool argument(const char *command, const char *wanted, const char **name)
{
    size_t n = strlen(wanted);

    if (strncmp(command, wanted, n) != 0 || (command[n] && command[n] != ' '))
        return false;
    *name = command[n] ? command + n + 1 : "";
    return true;
}

void gdb_monitor(const char *command)
{
    const char *name;

    if (word(command, "vms"))
        say_vms();
    else if (word(command, "vcpus"))
        each_vcpu(say_vcpu);
    else if (word(command, "fp"))
        each_vcpu(say_fp);
    else if (word(command, "counters"))
        each_vcpu(say_counters);
    else if (word(command, "memory virtual") || word(command, "memory physical"))
        memory(command + 7);
    else if (word(command, "registers") && gdb_vcpu(gdb.thread))
        arch_gdb_registers(gdb_vcpu(gdb.thread));
    else if (argument(command, "pause", &name))
        pause_vm(name, true);
    else if (argument(command, "resume", &name))
        pause_vm(name, false);
    else if (argument(command, "core", &name))
        core(name);
    else if (word(command, "power off"))
        power_off();
    else
        help();
    gdb_begin(&gdb.out);
    gdb_text(&gdb.out, "OK");
}
