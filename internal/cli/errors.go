package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"galaxy/rtmanager/internal/domain/runtime"
)

// usageError is a fault of the command line itself.
type usageError struct {
	err error
	see string // the command whose help tells more
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// writeError is a write that failed, with the operation id under which it can
// be repeated safely.
type writeError struct {
	err         error
	operationID string
}

func (e writeError) Error() string { return e.err.Error() }
func (e writeError) Unwrap() error { return e.err }

// report tells of the error: what and why, who won a conflict, what to do next.
func (a *app) report(err error) {
	text := strings.Join(strings.Split(printable(err.Error()), "\n"), "\n  ")
	fmt.Fprintf(a.streams.Err, "rtmanager: %s\n", text)
	var conflict *runtime.ConflictError
	if errors.As(err, &conflict) && conflict.Revision != 0 {
		fmt.Fprintf(a.streams.Err, "  stands: %s\n", a.winner(conflict))
	}
	if hint := a.hint(err); hint != "" {
		fmt.Fprintf(a.streams.Err, "hint: %s\n", hint)
	}
}

func (a *app) winner(conflict *runtime.ConflictError) string {
	current := conflict.Current
	return fmt.Sprintf("status %s, container %s, revision %d, since %s (%s ago)",
		cell(string(current.Status)), cell(current.CurrentContainerID), conflict.Revision,
		instant(current.LastOpAt), age(a.streams.Now().Sub(current.LastOpAt)))
}

// hint says what to do about the error, empty where the error itself does.
func (a *app) hint(err error) string {
	var usage usageError
	var write writeError
	var conflict *runtime.ConflictError
	switch {
	case errors.As(err, &usage):
		if usage.see == "" {
			return ""
		}
		return fmt.Sprintf("see `%s --help`", usage.see)
	case errors.As(err, &conflict):
		return conflictHint(conflict)
	case errors.Is(err, runtime.ErrNotFound):
		return "`rtmanager list` shows the games there are"
	case errors.Is(err, runtime.ErrOutcomeUnknown) && errors.As(err, &write):
		return "it may have been done or not; repeating it with --operation-id " + write.operationID + " is safe"
	case errors.Is(err, runtime.ErrUnavailable):
		return fmt.Sprintf("asked %s; start a daemon with `rtmanager serve`, or name another with --server or RTMANAGER_SERVER", printable(a.globals.server))
	case errors.Is(err, runtime.ErrCompacted):
		return "start over with a snapshot: leave --from-revision out, or add --resync"
	case errors.Is(err, runtime.ErrForeignRevision):
		return "the revision is from the future, or of another store: leave --from-revision out to start with a snapshot"
	case errors.Is(err, runtime.ErrReadOnly):
		return "reads still work; give the store more space or take some of its records away"
	case errors.Is(err, runtime.ErrCorrupt):
		return "`rtmanager fsck` shows every damaged value; nothing overwrites them"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("it took longer than %s; a larger --timeout waits longer", a.globals.timeout)
	}
	return ""
}

func conflictHint(conflict *runtime.ConflictError) string {
	look := "`rtmanager history " + plain(conflict.GameID) + "` shows who changed it"
	switch {
	case conflict.Revision == 0:
		return "leave --if-revision out, or use 0, to insert it"
	case conflict.Expectation == runtime.ExpectRevision:
		return fmt.Sprintf("%s; --if-revision %d would overwrite what stands", look, conflict.Revision)
	case conflict.Expectation == runtime.ExpectContainerID:
		return look + "; --container-id guards against acting on another container than the one you saw"
	}
	return fmt.Sprintf("%s; --from %s acts on what stands", look, conflict.Current.Status)
}

// printable keeps what came from elsewhere from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
