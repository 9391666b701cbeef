/*
 * An HTTP/1.1 load generator that does as little as a client can: one thread, epoll, bodies of answers thrown
 * away in the kernel (MSG_TRUNC) and bodies of requests sent from a memory file by sendfile(2).
 *
 *   load -c CONNECTIONS (-n ITERATIONS | -d SECONDS) [-l LIST] STEP...
 *
 * Each connection goes through the STEP files in order, again and again. The first line of a step is
 * "PORT BODY REPEAT STATUS EXTRACT": the port on 127.0.0.1, bytes of body to send, how often to do this step, the
 * status that is expected (0: any), and a text (may be empty) whose successor in the answer, up to a quote or
 * the end of the line, becomes {v} of later steps. The rest of the file is the request as it is sent,
 * with {v}, {n} (8 digits, different for each iteration), {o} (offset of this repetition in bytes) and {l} (a
 * line of LIST, in turn) replaced. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 8, BUFFER = 64 * 1024, MEMORY_FILE = 16 << 20 };

struct step { int port, repeat, status; long body; char *extract, *text; };
struct worker {
  int fds[MAX_STEPS], step, repetition, receiving, until_close, chunked;
  long iteration, sent, body_sent, left, length, chunk_size, chunk_left;
  char out[BUFFER], in[BUFFER + 1], value[BUFFER / 4];
  const char *line;
  double began, first;
};
struct samples { double *values; long count, room; };

static struct step steps[MAX_STEPS];
static int step_count, poller, memory_file;
static char **lines;
static long line_count, next_line, next_iteration, iterations = -1, finished, requests, failures;
static long bytes_in, bytes_out;
static struct samples totals, firsts;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static char *slurp(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) die(path);
  char *text = NULL;
  size_t room = 0;
  if (getdelim(&text, &room, 0, file) < 0) die(path);
  fclose(file);
  return text;
}

static void add(struct samples *samples, double value) {
  if (samples->count == samples->room) {
    samples->room = samples->room ? 2 * samples->room : 1024;
    samples->values = realloc(samples->values, samples->room * sizeof(double));
  }
  samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(struct samples *samples, double q) {
  return samples->count ? samples->values[(long)(q * (samples->count - 1))] : 0;
}

static void read_step(const char *path) {
  struct step *step = &steps[step_count++];
  char *text = slurp(path), *end = strchr(text, '\n'), extract[1024] = "";
  *end = 0;
  sscanf(text, "%d %ld %d %d %1023[^\n]", &step->port, &step->body, &step->repeat, &step->status,
         extract);
  step->extract = strdup(extract);
  step->text = end + 1;
}

/* Only the first step of a port owns a connection; later ones share it. */
static int *socket_of(struct worker *worker, int step) {
  int first = 0;
  while (steps[first].port != steps[step].port) first++;
  return &worker->fds[first];
}

static void watch(struct worker *worker, int fd, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = worker};
  if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

static int connected(struct worker *worker) {
  int *fd = socket_of(worker, worker->step), on = 1;
  if (*fd >= 0) return *fd;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(steps[worker->step].port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(*fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  watch(worker, *fd, EPOLLIN, EPOLL_CTL_ADD);
  return *fd;
}

static void disconnect(struct worker *worker) {
  int *fd = socket_of(worker, worker->step);
  close(*fd);
  *fd = -1;
}

static void compose(struct worker *worker) {
  struct step *step = &steps[worker->step];
  char *out = worker->out, *limit = out + BUFFER - 1;
  for (const char *at = step->text; *at && out < limit;) {
    if (at[0] == '{' && at[1] && at[2] == '}' && strchr("vnol", at[1])) {
      if (at[1] == 'v') out += snprintf(out, limit - out, "%s", worker->value);
      if (at[1] == 'n') out += snprintf(out, limit - out, "%08ld", worker->iteration);
      if (at[1] == 'o') out += snprintf(out, limit - out, "%ld", worker->repetition * step->body);
      if (at[1] == 'l') out += snprintf(out, limit - out, "%s", worker->line);
      at += 3;
    } else {
      *out++ = *at++;
    }
  }
  worker->length = out - worker->out;
}

static void go_on(struct worker *worker);

static void begin(struct worker *worker) {
  worker->sent = worker->body_sent = worker->receiving = worker->until_close = 0;
  worker->chunked = worker->chunk_size = worker->chunk_left = 0;
  worker->left = -1;
  compose(worker);
  connected(worker);
  worker->began = now();
  worker->first = 0;
  go_on(worker);
}

static void next(struct worker *worker) {
  if (++worker->repetition >= steps[worker->step].repeat) {
    worker->repetition = 0;
    if (++worker->step == step_count) worker->step = 0;
    if (worker->step == 0 || worker->iteration < 0) {
      if (worker->iteration >= 0) finished++;
      if (iterations >= 0 && next_iteration >= iterations) return;
      worker->step = 0;
      worker->iteration = next_iteration++;
      if (line_count) worker->line = lines[next_line++ % line_count];
    }
  }
  begin(worker);
}

static void answered(struct worker *worker) {
  double end = now();
  requests++;
  add(&totals, end - worker->began);
  add(&firsts, worker->first - worker->began);
  next(worker);
}

/* Sends what there is to send: true when all of it went out. */
static int sending(struct worker *worker, int fd) {
  struct step *step = &steps[worker->step];
  while (worker->sent < worker->length) {
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (step->body ? MSG_MORE : 0);
    ssize_t count = send(fd, worker->out + worker->sent, worker->length - worker->sent, flags);
    if (count < 0) return errno == EAGAIN ? 0 : 1;
    worker->sent += count;
  }
  while (worker->body_sent < step->body) {
    off_t offset = worker->body_sent % MEMORY_FILE;
    long count = step->body - worker->body_sent;
    if (count > MEMORY_FILE - offset) count = MEMORY_FILE - offset;
    if (count > 1 << 20) count = 1 << 20;
    int flags = fcntl(fd, F_GETFL);
    if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    ssize_t moved = sendfile(fd, memory_file, &offset, count);
    if (moved < 0) return errno == EAGAIN ? 0 : 1;
    worker->body_sent += moved;
    bytes_out += moved;
  }
  return 1;
}

static void extract(struct worker *worker) {
  const char *prefix = steps[worker->step].extract;
  const char *found = *prefix ? strstr(worker->in, prefix) : NULL;
  if (!found) return;
  found += strlen(prefix);
  size_t length = strcspn(found, "\"\r\n");
  snprintf(worker->value, sizeof worker->value, "%.*s", (int)length, found);
}

/* Follows a chunked body (RFC 9112, section 7.1; neither extensions nor trailers): true at its end. */
static int chunks_end(struct worker *worker, const char *bytes, long count) {
  for (const char *limit = bytes + count; bytes < limit; bytes++) {
    if (worker->chunk_left > 0) {
      long skipped = limit - bytes < worker->chunk_left ? limit - bytes : worker->chunk_left;
      worker->chunk_left -= skipped;
      bytes += skipped - 1;
      if (worker->chunk_left == 0 && worker->chunk_size == 0) return 1;
      if (worker->chunk_left == 0) worker->chunk_size = 0;
    } else if (*bytes == '\n') {
      worker->chunk_left = worker->chunk_size + 2;
    } else if (isxdigit(*bytes)) {
      int digit = isdigit(*bytes) ? *bytes - '0' : tolower(*bytes) - 'a' + 10;
      worker->chunk_size = worker->chunk_size * 16 + digit;
    }
  }
  return 0;
}

static void head(struct worker *worker, long got) {
  char *end = strstr(worker->in, "\r\n\r\n"), *length = strcasestr(worker->in, "\ncontent-length:");
  char *chunked = strcasestr(worker->in, "\ntransfer-encoding: chunked");
  if (!end) return;
  int status = atoi(worker->in + 9), expected = steps[worker->step].status;
  if (expected && status != expected) {
    if (failures++ == 0) fprintf(stderr, "%.*s\n", 600, worker->in);
  }
  long body = got - (end + 4 - worker->in);
  if (length && length < end) worker->left = atol(length + 16) - body;
  else if (status == 204 || status == 304) worker->left = 0;
  else if (chunked && chunked < end) {
    worker->chunked = 1;
    worker->left = !chunks_end(worker, end + 4, body);
  }
  else worker->until_close = 1, worker->left = 1;
  bytes_in += body;
  if (worker->first == 0) worker->first = now();
  /* What is looked for may be in a body that is still on its way. */
  if (*steps[worker->step].extract && worker->left > 0 && length && length < end) {
    bytes_in -= body;
    worker->left = -1;
  }
}

/* True when the answer has been read to its end. */
static int receiving(struct worker *worker, int fd) {
  if (worker->left < 0) {
    long room = BUFFER - worker->receiving;
    ssize_t count = recv(fd, worker->in + worker->receiving, room, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count <= 0) return failures++, disconnect(worker), worker->first = now(), 1;
    worker->receiving += count;
    worker->in[worker->receiving] = 0;
    head(worker, worker->receiving);
    if (worker->left < 0) return 0;
    extract(worker);
  }
  while (worker->left > 0 && worker->chunked) {
    ssize_t count = recv(fd, worker->in, BUFFER, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count <= 0) return failures++, disconnect(worker), 1;
    bytes_in += count;
    worker->left = !chunks_end(worker, worker->in, count);
  }
  while (worker->left > 0) {
    long want = worker->until_close || worker->left > 1 << 30 ? 1 << 30 : worker->left;
    ssize_t count = recv(fd, NULL, want, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count <= 0) {
      if (!worker->until_close) failures++;
      disconnect(worker);
      return 1;
    }
    bytes_in += count;
    if (!worker->until_close) worker->left -= count;
  }
  return 1;
}

static void go_on(struct worker *worker) {
  int fd = connected(worker);
  int done = sending(worker, fd);
  watch(worker, fd, done ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  int connections = 1;
  double seconds = 0;
  for (int option; (option = getopt(argc, argv, "c:n:d:l:")) != -1;) {
    if (option == 'c') connections = atoi(optarg);
    if (option == 'n') iterations = atol(optarg);
    if (option == 'd') seconds = atof(optarg);
    if (option == 'l') {
      char *text = slurp(optarg);
      for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        lines = realloc(lines, (line_count + 1) * sizeof *lines);
        lines[line_count++] = line;
      }
    }
  }
  for (; optind < argc && step_count < MAX_STEPS; optind++) read_step(argv[optind]);

  memory_file = memfd_create("body", 0);
  unsigned noise[1024], seed = 1;
  for (int i = 0; i < MEMORY_FILE / (int)sizeof noise; i++) {
    for (int j = 0; j < 1024; j++) noise[j] = seed = seed * 1664525u + 1013904223u;
    if (write(memory_file, noise, sizeof noise) < 0) die("write");
  }

  poller = epoll_create1(0);
  double start = now(), end = seconds ? start + seconds : start + 1e9;
  for (int i = 0; i < connections; i++) {
    struct worker *worker = calloc(1, sizeof *worker);
    memset(worker->fds, -1, sizeof worker->fds);
    worker->iteration = -1;
    worker->step = step_count - 1;
    worker->repetition = steps[step_count - 1].repeat;
    next(worker);
  }
  while ((iterations < 0 || finished < iterations) && now() < end) {
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, 100);
    for (int i = 0; i < count; i++) {
      struct worker *worker = events[i].data.ptr;
      int fd = *socket_of(worker, worker->step);
      if (fd < 0) continue;
      if (events[i].events & EPOLLOUT) go_on(worker);
      if (events[i].events & ~EPOLLOUT && receiving(worker, fd)) answered(worker);
    }
  }
  double took = now() - start;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
               (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  qsort(totals.values, totals.count, sizeof(double), compare);
  qsort(firsts.values, firsts.count, sizeof(double), compare);
  printf("{\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"iterations\":%ld,\"requests\":%ld,\"failures\":%ld,"
         "\"bytesIn\":%ld,\"bytesOut\":%ld,\"p50\":%.6f,\"p99\":%.6f,\"firstByte\":%.6f}\n",
         took, cpu, finished, requests, failures, bytes_in, bytes_out, quantile(&totals, 0.5),
         quantile(&totals, 0.99), quantile(&firsts, 0.5));
  return failures > 0;
}
