/*
 * files.h: whether files were changed or replaced since they were read.
 */
#ifndef SERVER_MASTER_FILES_H
#define SERVER_MASTER_FILES_H

#include <stdint.h>
#include <sys/stat.h>

#define FILES_PRINT 14695981039346656037ULL /* of no file */

/*
 * Returns print with the state of the file mixed in, by FNV-1a.  The state is its inode, its size, and the
 * time of its last change, which every write and rename moves.  A missing file is a state, too.
 */
static inline uint64_t
files_print(uint64_t print, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		st = (struct stat){0};
	print = (print ^ (uint64_t)st.st_ino) * 1099511628211ULL;
	print = (print ^ (uint64_t)st.st_size) * 1099511628211ULL;
	print = (print ^ (uint64_t)st.st_ctim.tv_sec) * 1099511628211ULL;
	return (print ^ (uint64_t)st.st_ctim.tv_nsec) * 1099511628211ULL;
}

#endif
