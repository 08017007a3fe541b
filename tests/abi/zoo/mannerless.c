/* A plugin that changes, in create() and start(), what the whole process shares. */
#define _GNU_SOURCE
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plain.h"

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)host, (void)create_view, (void)error_out;
  *out_instance = (oarlock_instance*)&instance;
  (void)chdir("/");
  (void)umask(0);
  (void)setlocale(LC_ALL, "C.UTF-8");
  (void)setenv("OARLOCK_ZOO", "was here", 1);
  return OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
  (void)signal(SIGTERM, SIG_IGN);
  (void)signal(SIGSEGV, SIG_IGN);
  return OARLOCK_OK;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* plan_view,
                           const oarlock_plan_out* plan_out) {
  (void)self, (void)plan_view, (void)plan_out;
  return OARLOCK_OK;
}

ZOO_PLUGIN(.create = create, .start = start, .plan = plan, .drain = nothing, .stop = nothing,
           .destroy = nothing);
