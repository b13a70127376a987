/* Copyright (c) 2026 The realip.toa authors. SPDX-License-Identifier: GPL-3.0-or-later */
/* Prints the client of every connection: cc -o peer peer.c && ./peer 8080 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOA_CLIENT 1348 /* as Alibaba's vtoa offers it */

/* The client of a connection: by 1348 where that is offered, else the peer. */
static int client_of(int fd, struct sockaddr_storage *client)
{
	socklen_t length = sizeof(*client);

	if (getsockopt(fd, IPPROTO_IP, TOA_CLIENT, client, &length) == 0)
		return 0;
	length = sizeof(*client);
	return getpeername(fd, (struct sockaddr *)client, &length);
}

static void print(const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
		printf("[%s]:%d\n", inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text)), ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)address;
		printf("%s:%d\n", inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text)), ntohs(four->sin_port));
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 8080) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 100)) {
		perror("listen");
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage client;
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (client_of(fd, &client) == 0)
			print(&client);
		close(fd);
	}
}
