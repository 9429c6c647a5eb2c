/* The lock of Redis's own page through hiredis as Debian has it; `../README.md` says what the lines mean.
 *
 * usage: locks PORT LIBRARY, until standard input ends */

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOLDS 0.15
#define RENEWS_EVERY 0.1
#define ASKS_EVERY 0.06
#define SECONDS 20
#define SAFE 1
#define TRIES 5

#define MS "20000"
#define RENEW "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) else return 0 end"
#define RELEASE "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"

enum answer { NO, YES, FAILED };

struct client {
    int port;
    redisContext *context;
    char error[200];
};

static const char *name;
static int is_keeping, is_over;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void pause_for(double seconds) {
    struct timespec time = {0, (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

static double around(double seconds) { return (0.5 + rand() / (double)RAND_MAX) * seconds; }

/* What it is told meanwhile. */
static void hear(void) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char line[64];
    while (!is_over && poll(&input, 1, 0) > 0) {
        ssize_t length = read(STDIN_FILENO, line, sizeof line - 1);
        if (length <= 0) {
            is_over = 1;
        } else {
            line[length] = 0;
            is_keeping = strstr(line, "keep") != NULL;
        }
    }
}

/* Connects when it must. The caller frees what it gets. */
static redisReply *ask(struct client *client, int count, const char **words) {
    if (client->context && client->context->err) {
        redisFree(client->context);
        client->context = NULL;
    }
    if (!client->context) client->context = redisConnect("127.0.0.1", client->port);
    redisReply *reply = client->context->err ? NULL : redisCommandArgv(client->context, count, words, NULL);
    if (!reply) {
        snprintf(client->error, sizeof client->error, "%s", client->context->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(client->error, sizeof client->error, "%s", reply->str);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}

static enum answer ask_if(struct client *client, int count, const char **words) {
    redisReply *reply = ask(client, count, words);
    if (!reply) return FAILED;
    bool is_yes = reply->type == REDIS_REPLY_STATUS || (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
    freeReplyObject(reply);
    return is_yes ? YES : NO;
}

static enum answer take(struct client *client, const char *key, char mine[64]) {
    snprintf(mine, 64, "%d-%.9f", (int)getpid(), now());
    return ask_if(client, 6, (const char *[]){"SET", key, mine, "NX", "PX", MS});
}

static enum answer renew(struct client *client, const char *key, const char *mine) {
    return ask_if(client, 6, (const char *[]){"EVAL", RENEW, "1", key, mine, MS});
}

static enum answer release(struct client *client, const char *key, const char *mine) {
    return ask_if(client, 5, (const char *[]){"EVAL", RELEASE, "1", key, mine});
}

static void say(const char *what, const char *text) { printf("{\"library\":\"%s\",\"%s\":\"%s\"}\n", name, what, text); }

/* An outcome that is not known, or certainly not done: both are the world's ways. */
static void failed(const char *when, struct client *client) {
    printf("{\"library\":\"%s\",\"error\":\"%s: %s\"}\n", name, when, client->error);
    pause_for(around(ASKS_EVERY));
}

/* Whether the answer is the one that is right. A wrong one is the end. */
static bool is(enum answer got, enum answer right, const char *what) {
    if (got != right && got != FAILED) {
        say("wrong", what);
        exit(1);
    }
    return got == right;
}

/* Everything once, two clients, one key of this endpoint. What cannot be done because of the world's ways is begun again. */
static void basics(int port) {
    char key[100], mine[64], others[64];
    for (int try = 0; try < TRIES; try++) {
        struct client one = {.port = port}, two = {.port = port};
        snprintf(key, sizeof key, "basics:%s:%d:%d", name, port, try);
        bool done = is(take(&one, key, mine), YES, "a free lock was refused") &&
                    is(take(&two, key, others), NO, "a lock was given twice") &&
                    is(renew(&one, key, mine), YES, "a renewal was refused") &&
                    is(release(&one, key, mine), YES, "a release was refused") &&
                    is(take(&two, key, others), YES, "a lock that was released was refused") &&
                    is(release(&one, key, mine), NO, "a lock of another was released") &&
                    is(release(&two, key, others), YES, "a release was refused");
        if (!done) failed("basics", one.error[0] ? &one : &two);
        if (one.context) redisFree(one.context);
        if (two.context) redisFree(two.context);
        if (done) {
            printf("{\"library\":\"%s\",\"version\":\"%d.%d.%d\",\"did\":[\"acquire\",\"refuse\",\"renew\",\"release\","
                   "\"refuse another's release\"]}\n", name, HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
            return;
        }
    }
    say("wrong", "nothing went well often enough");
    exit(1);
}

/* Until when it was promised to be the holder. */
static double hold(struct client *client, const char *key, const char *mine, double begun, double until) {
    while (now() < until && !is_over) {
        pause_for(RENEWS_EVERY);
        hear();
        double sent = now();
        enum answer kept = renew(client, key, mine);
        if (kept == FAILED) {
            failed("renew", client);
            if (now() > until - SAFE) break;
            continue;
        }
        if (kept == NO) {
            if (sent < until) say("wrong", "it was no longer the holder before its time was over");
            return sent;
        }
        printf("{\"library\":\"%s\",\"kept\":%.9f}\n", name, sent);
        until = sent + SECONDS;
        if (!is_keeping && now() > begun + HOLDS) break;
    }
    return until;
}

static void contend(int port) {
    struct client client = {.port = port};
    char key[100], mine[64];
    snprintf(key, sizeof key, "contended:%s", name);
    while (!is_over) {
        hear();
        double sent = now();
        enum answer taken = take(&client, key, mine);
        if (taken == FAILED) {
            failed("acquire", &client);
            continue;
        }
        if (taken == NO) {
            pause_for(around(ASKS_EVERY));
            continue;
        }
        double begun = now();
        printf("{\"library\":\"%s\",\"took\":%.9f}\n", name, begun);
        double until = hold(&client, key, mine, begun, sent + SECONDS), left = now();
        printf("{\"library\":\"%s\",\"held\":[%.9f,%.9f]}\n", name, begun, left < until ? left : until);
        enum answer released = release(&client, key, mine);
        if (released == FAILED) failed("release", &client);
        if (released == NO && left < until) say("wrong", "it was no longer the holder when it left");
    }
}

int main(int count, char **words) {
    if (count != 3) return 2;
    name = words[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    srand(getpid());
    basics(atoi(words[1]));
    contend(atoi(words[1]));
    return 0;
}
