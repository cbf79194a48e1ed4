package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type flag = pflag.Flag

func lookupFlag(verb *cobra.Command, name string) *flag {
	name = strings.TrimPrefix(name, "--")
	if found := verb.Flags().Lookup(name); found != nil {
		return found
	}
	return verb.InheritedFlags().Lookup(name)
}

func conflictOver(kind runtime.Precondition, stands runtime.Status, revision int64) error {
	return &runtime.ConflictError{
		GameID: "a b", Precondition: kind, Expected: "x", Actual: "y", Revision: revision,
		Current: runtime.RuntimeRecord{GameID: "a b", Status: stands},
	}
}

// failures are the errors that a verb can end with.
func failures() map[string]struct {
	err  error
	code int
	verb string // a verb that meets it, whose flags a hint may name
	hint string // part of it; empty where there is none
} {
	type failure = struct {
		err  error
		code int
		verb string
		hint string
	}
	transition := func(err error) error { return writeError{err: err, to: runtime.StatusStopped} }
	unanswered := &url.Error{Op: "Get", URL: "http://x", Err: errors.New("connection refused")}
	return map[string]failure{
		"usage":        {usageError{err: errors.New("x")}, exitUsage, "list", ""},
		"usage to see": {usageError{err: errors.New("x"), see: "rtmanager list"}, exitUsage, "list", "see `rtmanager list --help`"},
		"invalid":      {&runtime.InvalidError{Field: "status", Reason: "is required"}, exitUsage, "put", ""},
		"transition":   {&runtime.TransitionError{From: runtime.StatusRemoved, To: runtime.StatusRunning}, exitUsage, "set-status", ""},
		"not found":    {runtime.ErrNotFound, exitNotFound, "get", "`rtmanager list`"},

		"conflict of status":    {transition(conflictOver(runtime.PreconditionStatus, runtime.StatusRunning, 7)), exitConflict, "set-status", "--from running"},
		"conflict with itself":  {transition(conflictOver(runtime.PreconditionStatus, runtime.StatusStopped, 7)), exitConflict, "set-status", "it is stopped already"},
		"conflict for good":     {transition(conflictOver(runtime.PreconditionStatus, runtime.StatusRemoved, 7)), exitConflict, "set-status", "what is removed cannot become stopped"},
		"conflict of container": {transition(conflictOver(runtime.PreconditionContainerID, runtime.StatusRunning, 7)), exitConflict, "set-status", "--container-id"},
		"conflict of revision":  {writeError{err: conflictOver(runtime.PreconditionRevision, runtime.StatusRunning, 7)}, exitConflict, "put", "--if-revision 7"},
		"conflict with nothing": {writeError{err: conflictOver(runtime.PreconditionRevision, "", 0)}, exitConflict, "put", "--if-revision"},

		"no daemon":         {fmt.Errorf("%w: %w", runtime.ErrUnavailable, unanswered), exitUnreachable, "list", "`rtmanager serve`"},
		"no store":          {runtime.ErrUnavailable, exitUnreachable, "list", "answers"},
		"no daemon in time": {fmt.Errorf("%w: %w", runtime.ErrUnavailable, context.DeadlineExceeded), exitUnreachable, "list", "answers"},
		"out of time":       {context.DeadlineExceeded, exitTimedOut, "list", "--timeout"},

		"busy":               {&operation.BusyError{GameID: "a b", OperationID: "o", Kind: "start"}, exitConflict, "stop", "`rtmanager explain 'a b'`"},
		"refused":            {&operation.RefusedError{Operation: "stop", Reason: "no"}, exitConflict, "stop", ""},
		"no image":           {container.ErrNoImage, exitError, "start", ""},
		"start failed":       {operation.ErrStartFailed, exitError, "start", ""},
		"engine unavailable": {container.ErrEngineUnavailable, exitUnreachable, "start", ""},
		"node unreachable":   {node.ErrUnreachable, exitUnreachable, "stop", "`rtmanager nodes`"},
		"operation left":     {writeError{err: errors.Join(runtime.ErrOutcomeUnknown, context.DeadlineExceeded), unknown: goesOn(leftOperation(), true)}, exitTimedOut, "stop", "`rtmanager explain g` shows it"},

		"outcome unknown":     {writeError{err: runtime.ErrOutcomeUnknown, unknown: "--operation-id 1"}, exitError, "put", "--operation-id 1"},
		"outcome out of time": {writeError{err: errors.Join(runtime.ErrOutcomeUnknown, context.DeadlineExceeded), unknown: "--operation-id 1"}, exitTimedOut, "put", "--operation-id 1"},
		"compacted":           {runtime.ErrCompacted, exitError, "watch", "--resync"},
		"foreign revision":    {runtime.ErrForeignRevision, exitError, "watch", "--from-revision"},
		"read-only":           {runtime.ErrReadOnly, exitError, "put", "reads still work"},
		"corrupt":             {&runtime.CorruptError{Key: "k", Reason: "is not JSON"}, exitError, "get", "`rtmanager fsck`"},
		"damage met":          {damageError(2), exitError, "list", "`rtmanager fsck`"},
		"fenced":              {runtime.ErrFenced, exitError, "put", ""},
		"incompatible":        {runtime.ErrIncompatible, exitError, "version", ""},
		"anything else":       {errors.New("x"), exitError, "list", ""},
		"its own advice":      {advisedError{err: runtime.ErrCompacted, advice: "filter it"}, exitError, "list", "filter it"},
	}
}

func leftOperation() httpclient.Operation {
	return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "op-1"}}}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, f := range failures() {
		require.Equal(t, f.code, exitCode(f.err), "%s: %v", name, f.err)
		require.Equal(t, f.code, exitCode(fmt.Errorf("get a: %w", f.err)), "%s, wrapped: %v", name, f.err)
		require.Equal(t, f.code, exitCode(errors.Join(f.err, errors.New("x"))), "%s, with another error: %v", name, f.err)
	}
}

// A hint must lead somewhere: the verbs and flags that it names are there.
func TestHintsCanBeFollowed(t *testing.T) {
	t.Parallel()
	a := &app{globals: globals{server: "http://x", timeout: time.Second}}
	for name, f := range failures() {
		hint := a.hint(fmt.Errorf("get a: %w", f.err))
		if f.hint == "" {
			require.Empty(t, hint, name)
			continue
		}
		require.Contains(t, hint, f.hint, name)
		require.NotContains(t, hint, "\n", "the hint of %s is one line", name)
		verb, _, err := commandTree().Find([]string{f.verb})
		require.NoError(t, err)
		for _, match := range quotedCommand.FindAllStringSubmatch(hint, -1) {
			about, _, err := commandTree().Find(strings.Fields(match[1]))
			require.NoError(t, err, "%s: %s", name, hint)
			require.True(t, about.HasParent(), "%s: there is no such verb: %s", name, hint)
			about.InitDefaultHelpFlag()
			for _, given := range namedFlag.FindAllString(match[1], -1) {
				require.NotNil(t, lookupFlag(about, given), "%s: %s has no %s: %s", name, about.Name(), given, hint)
			}
		}
		for _, given := range namedFlag.FindAllString(quotedCommand.ReplaceAllString(hint, ""), -1) {
			require.NotNil(t, lookupFlag(verb, given), "%s: %s has no %s: %s", name, f.verb, given, hint)
		}
	}
}

// A game's id in a suggested command is one word of the shell.
func TestHintsQuoteTheGame(t *testing.T) {
	t.Parallel()
	hint := (&app{}).hint(conflictOver(runtime.PreconditionRevision, runtime.StatusRunning, 7))
	require.Contains(t, hint, "`rtmanager history 'a b'`")
}

// What a server says cannot steer the terminal by way of a hint.
func TestHintsAreHarmless(t *testing.T) {
	t.Parallel()
	for _, value := range hostile {
		for _, to := range []runtime.Status{"", runtime.StatusStopped} {
			conflict := &runtime.ConflictError{
				GameID: value, Precondition: runtime.PreconditionStatus, Revision: 7, Current: runtime.RuntimeRecord{Status: runtime.Status(value)},
			}
			a := &app{globals: globals{server: "http://" + value}, streams: Streams{Now: time.Now}}
			requireHarmless(t, a.hint(writeError{err: conflict, to: to}), value)
			requireHarmless(t, a.winner(conflict), value)
			requireHarmless(t, a.hint(runtime.ErrUnavailable), value, '\n')
		}
	}
}
