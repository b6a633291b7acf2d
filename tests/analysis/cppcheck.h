/* What cppcheck has to know of the build and of <sys/queue.h>, since it reads no header of the system's.
 * Apart from tests/analyse, because a macro with a semicolon is not for a command line. */
#define _GNU_SOURCE
#define WSMFA_VERSION "0"
#define WSMFA_PKGDATADIR "/"
#define WSMFA_RADDBDIR "/"
#define LIST_HEAD(name, type) struct name { struct type *lh_first; }
#define LIST_ENTRY(type) struct { struct type *le_next, **le_prev; }
#define LIST_FOREACH(var, head, field) for ((var) = (head)->lh_first; (var); (var) = (var)->field.le_next)
#define SLIST_FOREACH(var, head, field) for ((var) = (head)->slh_first; (var); (var) = (var)->field.sle_next)
