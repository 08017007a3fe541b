#pragma once
// How the threads of this process share a processor.

namespace oarlock {

/// Asks the kernel for turns of 0.1 ms for this thread and for what it starts. A thread that an
/// event wakes then runs within that time, where it would wait for the next tick (4 ms at 250 Hz)
/// behind another one of ours that is busy: a plan behind a cold sync. Who gets how much in all
/// stays the same. bench/turns.cpp measures it. False: this kernel has no such turns (Linux before
/// 6.12), and that wait remains. Source: sched_setattr(2), sched_runtime of SCHED_OTHER.
bool ask_for_short_turns();

}  // namespace oarlock
