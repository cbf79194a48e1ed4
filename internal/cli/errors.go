package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// usageError is a fault of the command line itself.
type usageError struct {
	err error
	see string // the command whose help tells more
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// writeError is a write that failed.
type writeError struct {
	err error
	// unknown says what to do should its outcome be unknown.
	unknown string
	// left is the record that an operation which failed has left; nil if there is none.
	left *runtime.VersionedRecord
	to   runtime.Status // of a transition
}

func (e writeError) Error() string { return e.err.Error() }
func (e writeError) Unwrap() error { return e.err }

// repeatable is what to do about a write that can be repeated by hand.
func repeatable(origin ports.Origin) string {
	return "it may have been done or not; repeating it with --operation-id " + shellWord(origin.OperationID) + " is safe"
}

// advisedError is an error that brings its own hint.
type advisedError struct {
	err    error
	advice string
}

func (e advisedError) Error() string { return e.err.Error() }
func (e advisedError) Unwrap() error { return e.err }

// report tells of the error: what and why, who won a conflict, what to do next.
func (a *app) report(err error) {
	lines := strings.FieldsFunc(printable(a.inWords(err)), func(r rune) bool { return r == '\n' })
	lines = slices.DeleteFunc(lines, func(line string) bool { return line != lines[0] && strings.Contains(lines[0], line) }) // said already
	fmt.Fprintf(a.streams.Err, "rtmanager: %s\n", strings.Join(lines, "\n  "))
	var conflict *runtime.ConflictError
	if errors.As(err, &conflict) && conflict.Revision != 0 {
		fmt.Fprintf(a.streams.Err, "  stands: %s\n", a.winner(conflict))
	}
	var write writeError
	if errors.As(err, &write) && write.left != nil {
		left := write.left.Record
		fmt.Fprintf(a.streams.Err, "  stands: %s%s, image %s, revision %d\n", cell(string(left.Status)), onNode(left), cell(left.CurrentImageRef), write.left.Revision)
	}
	if hint := a.hint(err); hint != "" {
		fmt.Fprintf(a.streams.Err, "hint: %s\n", hint)
	}
}

// inWords is the error's text, in which the end of the verb's own time is said as who
// waits for the verb would.
func (a *app) inWords(err error) string {
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), fmt.Sprintf("not done within %s", a.globals.timeout))
	}
	if errors.Is(err, context.Canceled) {
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	return text
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
	var advised advisedError
	var write writeError
	var conflict *runtime.ConflictError
	var busy *operation.BusyError
	switch {
	case errors.As(err, &usage):
		if usage.see == "" {
			return ""
		}
		return fmt.Sprintf("see `%s --help`", usage.see)
	case a.daemon:
		return ""
	case errors.As(err, &advised):
		return advised.advice
	case errors.As(err, &conflict):
		errors.As(err, &write)
		return conflictHint(conflict, write.to)
	case errors.As(err, &busy) && busy.GameID != "":
		return fmt.Sprintf("`rtmanager explain %s` shows how that is coming along", shellWord(busy.GameID))
	case errors.Is(err, node.ErrUnreachable):
		return "`rtmanager nodes` shows who is there"
	case errors.Is(err, runtime.ErrNotFound):
		return "`rtmanager list` shows the games there are"
	case errors.Is(err, runtime.ErrOutcomeUnknown) && errors.As(err, &write):
		return write.unknown
	case errors.Is(err, runtime.ErrUnavailable):
		return a.unavailableHint(err)
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

// unavailableHint tells a daemon that does not answer from one that does, but
// has no store to answer from.
func (a *app) unavailableHint(err error) string {
	server := printable(config.RedactURL(a.globals.server))
	var unanswered *url.Error
	if errors.As(err, &unanswered) {
		return fmt.Sprintf("asked %s; start a daemon with `rtmanager serve`, or name another with --server or RTMANAGER_SERVER", server)
	}
	return fmt.Sprintf("the daemon at %s answers, but cannot do this now; its log says why", server)
}

// conflictHint is for a write that wanted the status to become to; empty is for
// a put.
func conflictHint(conflict *runtime.ConflictError, to runtime.Status) string {
	look := "`rtmanager history " + shellWord(conflict.GameID) + "` shows who changed it"
	stands := conflict.Current.Status
	switch {
	case conflict.Revision == 0:
		return "leave --if-revision out, or use 0, to insert it"
	case conflict.Precondition == runtime.PreconditionRevision:
		return fmt.Sprintf("%s; --if-revision %d would overwrite what stands", look, conflict.Revision)
	case conflict.Precondition == runtime.PreconditionContainerID:
		return look + "; --container-id guards against acting on another container than the one you saw"
	case stands == to:
		return fmt.Sprintf("%s; it is %s already", look, to)
	case runtime.Transition(stands, to) != nil:
		return fmt.Sprintf("%s; what is %s cannot become %s", look, cell(string(stands)), to)
	}
	return fmt.Sprintf("%s; --from %s acts on what stands", look, stands)
}

// printable keeps what came from elsewhere from steering the terminal. Lines stay
// lines, and a tab becomes a blank.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r != '\n' && !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
