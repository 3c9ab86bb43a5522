/* The generic timer, for the rest of arch/arm64. */
#ifndef FERMATA_TIMER_H
#define FERMATA_TIMER_H

/* Counter access of guests, every timer off. */
void timer_init(void);

/* After the preemption interrupt: the level goes away. */
void timer_stop(void);

#endif
