/* The guest that is run where there is no \fermata.conf, or where it says `kernel = builtin`: packed (unpack.h). */
    .section .builtin_guest, "a", %progbits
    .balign 64
    .globl builtin_guest
    .hidden builtin_guest
builtin_guest:
    .incbin GUEST_BLOB
    .globl builtin_guest_end
    .hidden builtin_guest_end
builtin_guest_end:

    .section .note.GNU-stack, "", %progbits
