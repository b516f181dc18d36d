package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stowage/stowage/auth"
	peoplepages "github.com/stowage/stowage/handlers/people"
	"github.com/stowage/stowage/storage/people"
	"github.com/stowage/stowage/storage/record"
)

// authAccounts is the --auth with which people sign in.
const authAccounts = "accounts"

// firstCodeFile is the file of the data folder that has the code of the first start.
const firstCodeFile = "first-start-code"

// sweepEvery is how often sessions, codes and tokens whose time is over are deleted.
const sweepEvery = time.Hour

// openAccounts wires what lets people in. Every change of the shelf is recorded from then on.
func (a *app) openAccounts() *peoplepages.Options {
	db := a.store.Database()
	rec := record.New(db, time.Now)
	a.tables = people.New(db, rec, time.Now)
	db.RecordTo(rec.Changed)
	a.entrance = auth.NewEntrance(auth.Options{
		People: a.tables.People, Sessions: a.tables.Sessions, Tokens: a.tables.Tokens, Record: rec,
	})
	file := filepath.Join(a.settings.Data, firstCodeFile)
	if whole, err := filepath.Abs(file); err == nil {
		file = whole
	}
	return &peoplepages.Options{
		Entrance: a.entrance, Accounts: a.tables.People, Sessions: a.tables.Sessions, Tokens: a.tables.Tokens, Record: rec,
		CodeFile: file,
		FirstIsOut: func() {
			if err := removeCode(file); err != nil {
				a.settings.log.Warn("the code of the first start is used up, and its file stays", "error", err)
			}
		},
	}
}

// runAccounts does what the accounts need beside requests, until stop is called.
func (a *app) runAccounts(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	problem := func(err error) { a.settings.log.Error("keep the accounts up to date", "error", err) }
	ended := make(chan struct{}, 1)
	a.tables.OnEnd(func() {
		select {
		case ended <- struct{}{}:
		default:
		}
	})
	var running sync.WaitGroup
	running.Go(func() { a.entrance.Run(ctx, problem) })
	running.Go(func() {
		sweep := time.NewTicker(sweepEvery)
		defer sweep.Stop()
		for {
			var err error
			select {
			case <-ended:
				err = a.entrance.Recheck(ctx)
			case <-sweep.C:
				err = a.tables.Sweep(ctx)
			case <-ctx.Done():
				return
			}
			if err != nil && ctx.Err() == nil {
				problem(err)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// invite makes the code with which the first administrator comes in where there is none yet, and shows it to whoever
// started the server: there, and in a file that only they can read.
func (a *app) invite(ctx context.Context, terminal io.Writer) error {
	file := filepath.Join(a.settings.Data, firstCodeFile)
	has, err := a.tables.People.HasAdmin(ctx)
	if err != nil {
		return err
	}
	if has {
		return removeCode(file) // of a start before
	}
	code, err := a.entrance.FirstCode(ctx)
	if err != nil {
		return err
	}
	if err := removeCode(file); err != nil {
		return err
	}
	if err := writeCode(file, code); err != nil {
		return fmt.Errorf("write the code of the first start: %w", err)
	}
	a.settings.log.Warn("nobody can sign in yet: the code of the first start lets an administrator in for an hour",
		"file", file)
	_, err = fmt.Fprintf(terminal, "First start code: %s\n", code)
	return err
}

func writeCode(file, code string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // not through a link that somebody put there
	if err != nil {
		return err
	}
	_, err = f.WriteString(code + "\n")
	return errors.Join(err, f.Close())
}

func removeCode(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the code of the first start: %w", err)
	}
	return nil
}
