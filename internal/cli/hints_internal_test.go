package cli

import (
	"bytes"
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
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/hostile"
)

type flag = pflag.Flag

func lookupFlag(cmd *cobra.Command, name string) *flag {
	name = strings.TrimPrefix(name, "--")
	if found := cmd.Flags().Lookup(name); found != nil {
		return found
	}
	return cmd.InheritedFlags().Lookup(name)
}

func newConflict(kind runtime.Precondition, current runtime.Status, revision int64) error {
	return &runtime.ConflictError{
		GameID: "a b", Precondition: kind, Expected: "x", Actual: "y", Revision: revision,
		Current: runtime.RuntimeRecord{GameID: "a b", Status: current},
	}
}

// failures are the errors that a command can end with.
func failures() map[string]struct {
	err  error
	code int
	cmd  string // a command with this error, whose flags a hint may name
	hint string // part of the hint; empty if there is none
} {
	type failure = struct {
		err  error
		code int
		cmd  string
		hint string
	}
	transition := func(err error) error { return exit.WriteError{Err: err, To: runtime.StatusStopped} }
	urlErr := &url.Error{Op: "Get", URL: "http://x", Err: errors.New("connection refused")}
	return map[string]failure{
		"usage":             {exit.UsageError{Err: errors.New("x")}, exit.Usage, "list", ""},
		"usage to see":      {exit.UsageError{Err: errors.New("x"), See: "rtmanager list"}, exit.Usage, "list", "see `rtmanager list --help`"},
		"invalid":           {&runtime.InvalidError{Field: "status", Reason: "is required"}, exit.Usage, "put", ""},
		"unknown operation": {operation.ErrUnknownOperation, exit.NotFound, "operation", "`rtmanager operations` lists"},
		"transition":        {&runtime.TransitionError{From: runtime.StatusRemoved, To: runtime.StatusRunning}, exit.Usage, "set-status", ""},
		"network":           {&runtime.InvalidError{Field: "network", Reason: "is not allowed"}, exit.Usage, "start", "`rtmanager serve --docker-allow-network`"},
		"not found":         {runtime.ErrNotFound, exit.NotFound, "get", "`rtmanager list`"},

		"conflict of status":         {transition(newConflict(runtime.PreconditionStatus, runtime.StatusRunning, 7)), exit.Conflict, "set-status", "--from running"},
		"conflict with equal status": {transition(newConflict(runtime.PreconditionStatus, runtime.StatusStopped, 7)), exit.Conflict, "set-status", "the game is already stopped"},
		"conflict that is final":     {transition(newConflict(runtime.PreconditionStatus, runtime.StatusRemoved, 7)), exit.Conflict, "set-status", "a removed game cannot become stopped"},
		"conflict of container":      {transition(newConflict(runtime.PreconditionContainerID, runtime.StatusRunning, 7)), exit.Conflict, "set-status", "--container-id"},
		"conflict of revision":       {exit.WriteError{Err: newConflict(runtime.PreconditionRevision, runtime.StatusRunning, 7)}, exit.Conflict, "put", "--if-revision 7"},
		"conflict without record":    {exit.WriteError{Err: newConflict(runtime.PreconditionRevision, "", 0)}, exit.Conflict, "put", "--if-revision"},

		"no daemon":         {fmt.Errorf("%w: %w", runtime.ErrUnavailable, urlErr), exit.Unreachable, "list", "`rtmanager serve`"},
		"no store":          {runtime.ErrUnavailable, exit.Unreachable, "list", "is running but cannot do this now"},
		"starting":          {fmt.Errorf("the daemon is starting: %w", runtime.ErrUnavailable), exit.Unreachable, "list", "--context"},
		"limited":           {fmt.Errorf("list: %w", runtime.ErrLimited), exit.Unreachable, "list", "--limit-rate"},
		"no daemon in time": {fmt.Errorf("%w: %w", runtime.ErrUnavailable, context.DeadlineExceeded), exit.Unreachable, "list", "is running but cannot do this now"},
		"out of time":       {context.DeadlineExceeded, exit.TimedOut, "list", "--timeout"},

		"busy":                  {&operation.BusyError{GameID: "a b", OperationID: "o", Kind: "start"}, exit.Conflict, "stop", "`rtmanager explain 'a b'`"},
		"rejected":              {&operation.RejectedError{Operation: "stop", Reason: "no"}, exit.Conflict, "stop", ""},
		"no image":              {container.ErrNoImage, exit.Failure, "start", ""},
		"start failed":          {operation.ErrStartFailed, exit.Failure, "start", ""},
		"engine unavailable":    {container.ErrEngineUnavailable, exit.Unreachable, "start", ""},
		"node unreachable":      {node.ErrUnreachable, exit.Unreachable, "stop", "`rtmanager nodes`"},
		"operation interrupted": {exit.WriteError{Err: errors.Join(runtime.ErrOutcomeUnknown, context.DeadlineExceeded), UnknownHint: (&app{}).continuationHint(interruptedOperation(), true)}, exit.TimedOut, "stop", "`rtmanager explain g` shows it"},

		"outcome unknown":     {exit.WriteError{Err: runtime.ErrOutcomeUnknown, UnknownHint: "--operation-id 1"}, exit.Failure, "put", "--operation-id 1"},
		"outcome out of time": {exit.WriteError{Err: errors.Join(runtime.ErrOutcomeUnknown, context.DeadlineExceeded), UnknownHint: "--operation-id 1"}, exit.TimedOut, "put", "--operation-id 1"},
		"compacted":           {runtime.ErrCompacted, exit.Failure, "watch", "--resync"},
		"foreign revision":    {runtime.ErrForeignRevision, exit.Failure, "watch", "--from-revision"},
		"read-only":           {runtime.ErrReadOnly, exit.Failure, "put", "reads still work"},
		"corrupt":             {&runtime.CorruptError{Key: "k", Reason: "is not JSON"}, exit.Failure, "get", "`rtmanager fsck`"},
		"corrupt values":      {corruptCountError(2), exit.Failure, "list", "`rtmanager fsck`"},
		"fenced":              {runtime.ErrFenced, exit.Failure, "put", ""},
		"incompatible":        {runtime.ErrIncompatible, exit.Failure, "version", ""},
		"no identity":         {access.ErrUnauthenticated, exit.Failure, "list", "`rtmanager login`"},
		"no permission":       {access.ErrForbidden, exit.Failure, "stop", "`rtmanager can-i`"},
		"token exists":        {access.ErrExists, exit.Conflict, "token", ""},
		"no such token":       {access.ErrUnknownSubject, exit.NotFound, "token", ""},
		"other error":         {errors.New("x"), exit.Failure, "list", ""},
		"its own hint":        {exit.HintError{Err: runtime.ErrCompacted, Hint: "filter it"}, exit.Failure, "list", "filter it"},
	}
}

func interruptedOperation() httpclient.Operation {
	return httpclient.Operation{OperationRequest: ports.OperationRequest{GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "op-1"}}}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, f := range failures() {
		require.Equal(t, f.code, exit.Code(f.err), "%s: %v", name, f.err)
		require.Equal(t, f.code, exit.Code(fmt.Errorf("get a: %w", f.err)), "%s, wrapped: %v", name, f.err)
		require.Equal(t, f.code, exit.Code(errors.Join(f.err, errors.New("x"))), "%s, with another error: %v", name, f.err)
	}
}

// The commands and flags that a hint names exist.
func TestHintsCanBeFollowed(t *testing.T) {
	t.Parallel()
	reporter := exit.Reporter{Server: "http://x", Timeout: time.Second}
	for name, f := range failures() {
		hint := reporter.Hint(fmt.Errorf("get a: %w", f.err))
		if f.hint == "" {
			require.Empty(t, hint, name)
			continue
		}
		require.Contains(t, hint, f.hint, name)
		require.NotContains(t, hint, "\n", "the hint of %s is one line", name)
		cmd, _, err := commandTree().Find([]string{f.cmd})
		require.NoError(t, err)
		for _, match := range quotedCommand.FindAllStringSubmatch(hint, -1) {
			about, _, err := commandTree().Find(strings.Fields(match[1]))
			require.NoError(t, err, "%s: %s", name, hint)
			require.True(t, about.HasParent(), "%s: there is no such command: %s", name, hint)
			about.InitDefaultHelpFlag()
			for _, given := range namedFlag.FindAllString(match[1], -1) {
				require.NotNil(t, lookupFlag(about, given), "%s: %s has no %s: %s", name, about.Name(), given, hint)
			}
		}
		for _, given := range namedFlag.FindAllString(quotedCommand.ReplaceAllString(hint, ""), -1) {
			require.NotNil(t, lookupFlag(cmd, given), "%s: %s has no %s: %s", name, f.cmd, given, hint)
		}
	}
}

// A game id in a suggested command is one word of the shell.
func TestHintsQuoteTheGame(t *testing.T) {
	t.Parallel()
	hint := exit.Reporter{}.Hint(newConflict(runtime.PreconditionRevision, runtime.StatusRunning, 7))
	require.Contains(t, hint, "`rtmanager history 'a b'`")
}

// Text from a server cannot control the terminal through a hint.
func TestHintsArePrintable(t *testing.T) {
	t.Parallel()
	for _, text := range hostile.Texts() {
		for _, to := range []runtime.Status{"", runtime.StatusStopped} {
			conflict := &runtime.ConflictError{
				GameID: text, Precondition: runtime.PreconditionStatus, Revision: 7, Current: runtime.RuntimeRecord{Status: runtime.Status(text)},
			}
			var out bytes.Buffer
			reporter := exit.Reporter{Out: &out, Server: "http://" + text, Now: time.Now}
			reporter.Report(exit.WriteError{Err: conflict, To: to})
			hostile.RequirePrintable(t, out.String(), text, '\n')
			hostile.RequirePrintable(t, reporter.Hint(runtime.ErrUnavailable), text, '\n')
		}
	}
}
