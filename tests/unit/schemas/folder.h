/* folder: an empty directory of a test's own, removed with what is in it. */
#ifndef WEIR_TESTS_FOLDER_H
#define WEIR_TESTS_FOLDER_H

char *folder_create(void);
void folder_destroy(char **folder);
/* The file's whole content, or NULL; the caller frees with mem_free. */
char *folder_read(const char *folder, const char *name);
void folder_write(const char *folder, const char *name, const char *content);

#endif
