/* What an admin client asks about a consumer group. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_admin.h"
#include "processor/kafka/kafka_admin_request.h"
#include "processor/kafka/kafka_errors.h"

enum { WHAT_SIZE = 320 };

static bool is_unknown_group(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND;
}

/* --- its offsets ----------------------------------------------------------------------------------- */

static void copy_offsets(struct kafka_group_offsets *out,
                         const rd_kafka_topic_partition_list_t *list)
{
    out->items = mem_alloc_array((size_t)list->cnt + 1, sizeof *out->items);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        if (item->offset < 0)
            continue;
        struct bytes metadata = BYTES_NONE;
        if (item->metadata_size > 0)
            metadata = bytes_of(mem_copy(item->metadata, item->metadata_size), item->metadata_size);
        out->items[out->count++] = (struct kafka_group_offset){
            .topic = mem_copy_string(item->topic),
            .partition = item->partition,
            .offset = item->offset,
            .metadata = metadata,
        };
    }
}

static enum status take_offsets(rd_kafka_event_t *event, const char *what,
                                struct kafka_group_offsets *out, struct error *err)
{
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error != NULL && is_unknown_group(rd_kafka_error_code(error)))
        return ST_OK;
    TRY(kafka_admin_request_check(error, what, err));
    copy_offsets(out, rd_kafka_group_result_partitions(groups[0]));
    return ST_OK;
}

enum status kafka_admin_group_offsets(struct kafka_admin *admin, const char *group,
                                      struct kafka_group_offsets *out, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "the offsets of group '%s'", group);
    *out = (struct kafka_group_offsets){ NULL, 0 };
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = take_offsets(event, what, out, err);
    rd_kafka_event_destroy(event);
    return st;
}

void kafka_group_offsets_fini(struct kafka_group_offsets *offsets)
{
    for (size_t i = 0; i < offsets->count; i++) {
        mem_free((void *)(uintptr_t)offsets->items[i].topic);
        mem_free((void *)(uintptr_t)offsets->items[i].metadata.data);
    }
    mem_free(offsets->items);
    *offsets = (struct kafka_group_offsets){ NULL, 0 };
}

/* --- setting them -------------------------------------------------------------------------------------- */

static rd_kafka_topic_partition_list_t *offset_list(const struct kafka_group_offset *offsets,
                                                    size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *item =
            rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition);
        item->offset = offsets[i].offset;
        if (offsets[i].metadata.size > 0) { /* librdkafka frees it */
            item->metadata = malloc(offsets[i].metadata.size);
            ENSURE(item->metadata != NULL);
            memcpy(item->metadata, offsets[i].metadata.data, offsets[i].metadata.size);
            item->metadata_size = offsets[i].metadata.size;
        }
    }
    return list;
}

static enum status check_set(rd_kafka_event_t *event, const char *what, struct error *err)
{
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
        return FAIL(err, ST_REFUSED, "%s: processes of the group are still running", what);
    TRY(kafka_admin_request_check(error, what, err));
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_resp_err_t code = list->elems[i].err;
        if (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
            return FAIL(err, ST_REFUSED, "%s: processes of the group are still running", what);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_errors_fail(err, code, "%s: %s partition %" PRId32, what,
                                     list->elems[i].topic, list->elems[i].partition);
    }
    return ST_OK;
}

enum status kafka_admin_set_offsets(struct kafka_admin *admin, const char *group,
                                    const struct kafka_group_offset *offsets, size_t count,
                                    struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "setting the offsets of group '%s'", group);
    rd_kafka_topic_partition_list_t *list = offset_list(offsets, count);
    rd_kafka_AlterConsumerGroupOffsets_t *request =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    rd_kafka_AlterConsumerGroupOffsets(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = check_set(event, what, err);
    rd_kafka_event_destroy(event);
    return st;
}

/* --- deleting ------------------------------------------------------------------------------------------ */

static enum status deleted(const rd_kafka_error_t *error, const char *what, struct error *err)
{
    if (error == NULL || is_unknown_group(rd_kafka_error_code(error)))
        return ST_OK;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP ||
        code == RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC)
        return FAIL(err, ST_REFUSED, "%s: processes of the group are still running", what);
    return kafka_admin_request_check(error, what, err);
}

enum status kafka_admin_delete_group(struct kafka_admin *admin, const char *group,
                                     struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "deleting group '%s'", group);
    rd_kafka_DeleteGroup_t *request = rd_kafka_DeleteGroup_new(group);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    rd_kafka_DeleteGroups(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteGroup_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count);
    const enum status st = count == 1 ? deleted(rd_kafka_group_result_error(groups[0]), what, err)
                                      : FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    rd_kafka_event_destroy(event);
    return st;
}

static enum status take_deleted_offsets(rd_kafka_event_t *event, const char *what,
                                        struct error *err)
{
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    TRY(deleted(rd_kafka_group_result_error(groups[0]), what, err));
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_resp_err_t code = list->elems[i].err;
        if (code == RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC)
            return FAIL(err, ST_REFUSED, "%s: processes of the group are still running", what);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_errors_fail(err, code, "%s", what);
    }
    return ST_OK;
}

enum status kafka_admin_delete_offsets(struct kafka_admin *admin, const char *group,
                                       const char *topic, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "deleting the offsets of group '%s' in topic '%s'", group, topic);
    int32_t partition_count = 0;
    TRY(kafka_admin_count_partitions(admin, topic, &partition_count, NULL, err));
    if (partition_count == 0)
        return ST_OK;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    rd_kafka_topic_partition_list_add_range(list, topic, 0, partition_count - 1);
    rd_kafka_DeleteConsumerGroupOffsets_t *request =
        rd_kafka_DeleteConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS);
    rd_kafka_DeleteConsumerGroupOffsets(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = take_deleted_offsets(event, what, err);
    rd_kafka_event_destroy(event);
    return st;
}

/* --- its members ----------------------------------------------------------------------------------------- */

static const char *copy_or_null(const char *s)
{
    return s == NULL ? NULL : mem_copy_string(s);
}

static size_t partitions_of(const rd_kafka_MemberDescription_t *member)
{
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
    const rd_kafka_topic_partition_list_t *list =
        assignment == NULL ? NULL : rd_kafka_MemberAssignment_partitions(assignment);
    return list == NULL ? 0 : (size_t)list->cnt;
}

static void copy_group(struct kafka_group *out, const rd_kafka_ConsumerGroupDescription_t *from)
{
    out->state = mem_copy_string(
        rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(from)));
    out->member_count = rd_kafka_ConsumerGroupDescription_member_count(from);
    out->members = mem_alloc_array(out->member_count + 1, sizeof *out->members);
    for (size_t i = 0; i < out->member_count; i++) {
        const rd_kafka_MemberDescription_t *member =
            rd_kafka_ConsumerGroupDescription_member(from, i);
        out->members[i] = (struct kafka_group_member){
            .id = copy_or_null(rd_kafka_MemberDescription_consumer_id(member)),
            .instance_id = copy_or_null(rd_kafka_MemberDescription_group_instance_id(member)),
            .client_id = copy_or_null(rd_kafka_MemberDescription_client_id(member)),
            .host = copy_or_null(rd_kafka_MemberDescription_host(member)),
            .partition_count = partitions_of(member),
        };
    }
}

static enum status take_group(rd_kafka_event_t *event, const char *what, struct kafka_group *out,
                              struct error *err)
{
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    if (error != NULL && is_unknown_group(rd_kafka_error_code(error))) {
        out->state = mem_copy_string("Dead"); /* what brokers before 4.0 say of it */
        return ST_OK;
    }
    TRY(kafka_admin_request_check(error, what, err));
    copy_group(out, groups[0]);
    return ST_OK;
}

enum status kafka_admin_describe_group(struct kafka_admin *admin, const char *group,
                                       struct kafka_group *out, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "the members of group '%s'", group);
    *out = (struct kafka_group){ .state = NULL };
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_DescribeConsumerGroups(admin->client, &group, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = take_group(event, what, out, err);
    rd_kafka_event_destroy(event);
    return st;
}

void kafka_group_fini(struct kafka_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        mem_free((void *)(uintptr_t)group->members[i].id);
        mem_free((void *)(uintptr_t)group->members[i].instance_id);
        mem_free((void *)(uintptr_t)group->members[i].client_id);
        mem_free((void *)(uintptr_t)group->members[i].host);
    }
    mem_free(group->members);
    mem_free((void *)(uintptr_t)group->state);
    *group = (struct kafka_group){ .state = NULL };
}
