/*
 * The PE32+ header of BOOTX64.EFI and BOOTAA64.EFI (Microsoft PE/COFF specification; UEFI 2.10, 2.1.1).
 *
 * The image is the program's ELF file laid flat (objcopy -O binary), so every file offset equals the
 * address, and the header is simply the first page of it. It is written out here, and not left to a
 * converter, for three reasons: each section gets exactly its rights (RX, R, RW: firmware that enforces
 * them runs us), .bss costs nothing in the file, and both architectures are built the same way.
 *
 * The image starts at address 0, so `symbol - image_header` is the symbol's RVA. The linker script also
 * gives sizes as such symbols (pe_*_bytes), because the difference of two foreign symbols is more than a
 * relocation can say.
 */
#ifdef __aarch64__
#define PE_MACHINE 0xaa64
#else
#define PE_MACHINE 0x8664
#endif

    .section .pe_header, "a", %progbits
    .balign 4096
image_header:
    .ascii "MZ"
    .skip 0x3c - 2
    .long pe_signature - image_header

    .balign 8
pe_signature:
    .ascii "PE\0\0"
    .short PE_MACHINE
    .short (section_table_end - section_table) / 40
    .long 0 /* TimeDateStamp: the same sources give the same image */
    .long 0, 0 /* no COFF symbols */
    .short section_table - optional_header
    .short 0x0206 /* executable, no line numbers, no local symbols. Not "relocations stripped": it may
                     be loaded anywhere, for it relocates itself (reloc.c) */

optional_header:
    .short 0x20b /* PE32+ */
    .byte 0, 0
    .long pe_text_bytes - image_header
    .long pe_initialised_bytes - image_header
    .long 0
    .long efi_start - image_header
    .long __text_start - image_header
    .quad 0 /* ImageBase */
    .long 4096 /* SectionAlignment */
    .long 512 /* FileAlignment */
    .short 0, 0, 0, 0
    .short 0, 0
    .long 0
    .long __image_end - image_header /* SizeOfImage */
    .long __text_start - image_header /* SizeOfHeaders */
    .long 0 /* CheckSum: not looked at for EFI applications */
    .short 10 /* Subsystem: EFI application */
    .short 0x0100 /* NX compatible: no data of ours is ever executed */
    .quad 0, 0, 0, 0
    .long 0
    .long (section_table - directories) / 8
directories:
    .quad 0, 0, 0, 0, 0 /* export, import, resource, exception, certificate */
    .long base_relocations - image_header, base_relocations_end - base_relocations

section_table:
    .ascii ".text\0\0\0"
    .long pe_text_bytes - image_header
    .long __text_start - image_header
    .long pe_text_bytes - image_header
    .long __text_start - image_header
    .long 0, 0, 0
    .long 0x60000020 /* code, execute, read */

    .ascii ".rodata\0"
    .long pe_rodata_bytes - image_header
    .long __rodata_start - image_header
    .long pe_rodata_bytes - image_header
    .long __rodata_start - image_header
    .long 0, 0, 0
    .long 0x40000040 /* initialised data, read */

    /* From what start-up relocates (.relro) to the end of .bss: the firmware zeroes what the file lacks. */
    .ascii ".data\0\0\0"
    .long pe_data_bytes - image_header
    .long __relro_start - image_header
    .long pe_data_file_bytes - image_header
    .long __relro_start - image_header
    .long 0, 0, 0
    .long 0xc0000040 /* initialised data, read, write */
section_table_end:

    /* One base relocation block that relocates nothing: some firmware refuses an image without any. */
    .section .pe_reloc, "a", %progbits
    .balign 4
base_relocations:
    .long 0, 12 /* page RVA, block size */
    .short 0, 0 /* two entries of type ABSOLUTE: padding */
base_relocations_end:

    .section .note.GNU-stack, "", %progbits
