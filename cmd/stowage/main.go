// Command stowage is a team's image shelf: it pulls container images without an engine, keeps them and
// shows what is in them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/stowage/stowage/image"
)

func main() {
	syscall.Umask(0o077) // what the server makes is its own
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		complain(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the whole program; tests call it. It ends when its command has, or for the servers when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	command, flags, err := parse(args, getenv, stdout)
	if err != nil || command == commandNone {
		return err
	}
	switch command {
	case commandVersion:
		_, err := fmt.Fprintln(stdout, versionLine())
		return err
	case commandDemo:
		return demo(ctx, flags, stderr)
	default:
		return serve(ctx, flags, stderr)
	}
}

// complain tells the person at the terminal what is wrong and what to do about it.
func complain(w io.Writer, err error) {
	fmt.Fprintln(w, "stowage:", err)
	var e *image.Error
	if errors.As(err, &e) && e.Suggestion != "" {
		fmt.Fprintln(w, e.Suggestion)
	}
}
