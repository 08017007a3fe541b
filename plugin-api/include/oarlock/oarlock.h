/* Everything stable of the plugin ABI in one include. */
#ifndef OARLOCK_OARLOCK_H
#define OARLOCK_OARLOCK_H

#include "oarlock/abi.h"
#include "oarlock/ext/cache.h"
#include "oarlock/ext/clock.h"
#include "oarlock/ext/event_source.h"
#include "oarlock/ext/inbound.h"
#include "oarlock/ext/leadership.h"
#include "oarlock/ext/log.h"
#include "oarlock/ext/metrics.h"
#include "oarlock/ext/read.h"
#include "oarlock/ext/review.h"
#include "oarlock/ext/thread.h"
#include "oarlock/host.h"
#include "oarlock/plan.h"
#include "oarlock/plugin.h"

#endif /* OARLOCK_OARLOCK_H */
