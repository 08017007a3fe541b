/* The words of accepted/<version>/layout.c. */
#ifndef OARLOCK_TESTS_ABI_LAYOUT_H
#define OARLOCK_TESTS_ABI_LAYOUT_H

/* Version 0 is one build; later a struct may grow at its end from one minor to the next. */
#define ABI_VERSION(major, minor)                                                                 \
  enum { is_this_minor = OARLOCK_ABI_MAJOR == 0 || OARLOCK_ABI_MINOR == (minor) };                \
  _Static_assert(                                                                                 \
      OARLOCK_ABI_MAJOR == (major) &&                                                             \
          (OARLOCK_ABI_MAJOR == 0 ? OARLOCK_ABI_MINOR == (minor) : OARLOCK_ABI_MINOR >= (minor)), \
      "expected ABI " #major "." #minor ": raise the minor, then run abi_accept");                \
  _Static_assert(sizeof(void*) == 8, "plugins are 64-bit")

#define SIZE(type, bytes)                                                           \
  _Static_assert(is_this_minor ? sizeof(type) == (bytes) : sizeof(type) >= (bytes), \
                 #type " has another size than the accepted " #bytes)

/* The type is a variadic parameter because those of slots have commas. */
#define FIELD(type, field, offset, ...)                                                       \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved from " #offset); \
  _Static_assert(__builtin_types_compatible_p(__typeof__(((type*)0)->field), __VA_ARGS__),    \
                 #type "." #field " is no longer of type " #__VA_ARGS__)

#define VALUE(name, value) _Static_assert((name) == (value), #name " is no longer " #value)

#endif /* OARLOCK_TESTS_ABI_LAYOUT_H */
