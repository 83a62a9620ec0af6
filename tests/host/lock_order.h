/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks in every host test that locks are taken in the order of docs/locks.md: what include/lock.h calls there. */
#ifndef NESTLING_TESTS_HOST_LOCK_ORDER_H
#define NESTLING_TESTS_HOST_LOCK_ORDER_H

/* After a panic that was expected: this thread will not let go of what it held. */
void lock_order_forget(void);

/* What this thread does between these stands for what another CPU does: it holds none of the locks that are held. */
unsigned lock_order_other_cpu(void);
void lock_order_this_cpu(unsigned other);

/* That other CPU has been given up while it waited for a lock: it lets go of those that it holds. */
void lock_order_give_up(void);

#endif
