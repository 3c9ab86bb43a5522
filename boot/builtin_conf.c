/*
 * What runs where there is no \fermata.conf. It goes through the same parser as a file would, so it
 * is also the example to start from: boot/README.md explains each key.
 *
 * Between them the four VMs show what Fermata promises: two vCPUs of one VM and vCPUs of other VMs
 * hold different patterns in the same registers; one VM never touches FP and must cost nothing; one
 * is eager and must see exactly the same.
 */
#include "boot/config.h"

const char builtin_conf[] =
    "[fermata]\n"
    "quantum = 200us\n"
    "log     = info\n"
    "\n"
    "[vm.alpha]\n"
    "kernel  = builtin\n"
    "memory  = 16M\n"
    "vcpus   = 2\n"
    "cmdline = run=all seed=1\n"
    "\n"
    "[vm.beta]\n"
    "kernel  = builtin\n"
    "memory  = 16M\n"
    "cmdline = run=reset,hold,control seed=2\n"
    "\n"
    "[vm.gamma]              # never touches FP: owns no area, moves no byte\n"
    "kernel  = builtin\n"
    "memory  = 16M\n"
    "cmdline = run=nofp\n"
    "\n"
    "[vm.delta]\n"
    "kernel  = builtin\n"
    "memory  = 16M\n"
    "policy  = eager\n"
    "cmdline = run=reset,hold,control seed=3\n";
