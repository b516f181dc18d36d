// Package guard turns panics of workers into errors, so that only what they work on fails.
package guard

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic, made an error.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Do runs f and returns its error, or a *Panic where it panics.
func Do(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
