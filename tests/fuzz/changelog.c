/*
 * Any bytes as what belongs to a changelog and a commit: identity, end mark, the store's position
 * and the committed metadata. Read or refused, never read beyond their end; what is accepted is
 * written back as something that reads the same.
 */
#include <stdint.h>

#include "base/ensure.h"
#include "state/changelog.h"
#include "state/commit_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_position(struct bytes input)
{
    struct error err;
    struct store_position position, again;
    if (store_position_read(&position, input, &err) != ST_OK)
        return;
    AUTO(buffer_fini) struct buffer out = { 0 };
    store_position_write(&out, &position);
    ENSURE(store_position_read(&again, buffer_view(&out), &err) == ST_OK);
    ENSURE(again.seq == position.seq && again.nonce == position.nonce);
    ENSURE(state_identity_check(&position.identity, &again.identity, &err) == ST_OK);
}

static void try_identity(struct bytes input)
{
    struct error err;
    struct state_identity identity, again;
    if (changelog_identity_read(&identity, input, &err) != ST_OK)
        return;
    AUTO(buffer_fini) struct buffer out = { 0 };
    changelog_identity_write(&out, &identity);
    ENSURE(changelog_identity_read(&again, buffer_view(&out), &err) == ST_OK);
    ENSURE(state_identity_check(&identity, &again, &err) == ST_OK);
}

static void try_end(struct bytes input)
{
    struct error err;
    struct changelog_end end, again;
    if (changelog_end_read(&end, input, &err) != ST_OK)
        return;
    AUTO(buffer_fini) struct buffer out = { 0 };
    changelog_end_write(&out, &end);
    ENSURE(changelog_end_read(&again, buffer_view(&out), &err) == ST_OK);
    ENSURE(again.number == end.number && again.seq == end.seq);
}

static void try_metadata(struct bytes input)
{
    struct error err;
    struct commit_metadata metadata;
    char text[COMMIT_METADATA_SIZE];
    if (commit_metadata_parse(&metadata, input, &err) != ST_OK)
        return;
    const size_t size = (size_t)commit_metadata_format(text, &metadata);
    ENSURE(bytes_starts_with(input, bytes_of(text, size)));
    ENSURE(size == input.size || input.data[size] == ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes input = bytes_of(data, size);
    (void)changelog_kind_of(input);
    try_position(input);
    try_identity(input);
    try_end(input);
    try_metadata(input);
    return 0;
}
