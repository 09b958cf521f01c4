/*
 * index_compare.h: what has become of the messages of a list that was replaced.
 */
#ifndef MAILDIR_INDEX_INDEX_COMPARE_H
#define MAILDIR_INDEX_INDEX_COMPARE_H

struct index;

/*
 * Compares the two and tells the folder's session of each message that is gone, changed or back; of the whole
 * list when that cannot be told: after damage, or when UIDs do not mean any more what they did.
 */
void index_compare(struct index *old, struct index *now);

#endif
