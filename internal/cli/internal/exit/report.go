package exit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// Reporter prints the error of a command.
type Reporter struct {
	Out     io.Writer
	Now     func() time.Time
	Server  string        // URLs of the daemons, without passwords
	Timeout time.Duration // of --timeout
	// UsesNoDaemon reports whether the command connects to no daemon. Then there are no
	// hints about the daemon.
	UsesNoDaemon bool
}

// Report prints the error, the current record after a conflict, and a hint.
func (r Reporter) Report(err error) {
	r.reportText(err)
	if _, isSummary := errors.AsType[SummaryError](err); !isSummary {
		r.reportCurrent(err)
	}
	if hint := r.Hint(err); hint != "" {
		fmt.Fprintf(r.Out, "hint: %s\n", hint)
	}
}

// ReportLine prints the error without a hint.
func (r Reporter) ReportLine(err error) { r.reportText(err) }

// reportCurrent prints the current record after a conflict, or after an operation that failed.
func (r Reporter) reportCurrent(err error) {
	var conflict *runtime.ConflictError
	if errors.As(err, &conflict) && conflict.Revision != 0 {
		fmt.Fprintf(r.Out, "  current: %s\n", r.conflictText(conflict))
	}
	var write WriteError
	if errors.As(err, &write) && write.Current != nil {
		current := write.Current.Record
		fmt.Fprintf(r.Out, "  current: %s%s, image %s, revision %d\n", render.Cell(string(current.Status)), output.OnNode(current),
			render.Cell(current.CurrentImageRef), write.Current.Revision)
	}
}

// reportText prints the text of the error.
func (r Reporter) reportText(err error) {
	lines := strings.FieldsFunc(render.Printable(r.errorText(err)), func(c rune) bool { return c == '\n' })
	// Remove each line that the first line contains.
	lines = slices.DeleteFunc(lines, func(line string) bool { return line != lines[0] && strings.Contains(lines[0], line) })
	fmt.Fprintf(r.Out, "rtmanager: %s\n", strings.Join(lines, "\n  "))
}

// errorText returns the text of the error. It replaces the texts of errors of package
// context by terms of the command line.
func (r Reporter) errorText(err error) string {
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), fmt.Sprintf("timed out after %s", r.Timeout))
	}
	if errors.Is(err, context.Canceled) {
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	return text
}

func (r Reporter) conflictText(conflict *runtime.ConflictError) string {
	current := conflict.Current
	return fmt.Sprintf("status %s, container %s, revision %d, since %s (%s ago)",
		render.Cell(string(current.Status)), render.Cell(current.CurrentContainerID), conflict.Revision,
		render.Time(current.LastOpAt), render.Age(r.Now().Sub(current.LastOpAt)))
}

// Hint returns advice about the error, empty if there is none.
func (r Reporter) Hint(err error) string {
	var usage UsageError
	var hinted HintError
	var write WriteError
	var conflict *runtime.ConflictError
	var busy *operation.BusyError
	switch {
	case errors.As(err, &usage):
		if usage.See == "" {
			return ""
		}
		return fmt.Sprintf("see `%s --help`", usage.See)
	case errors.As(err, &hinted):
		return hinted.Hint
	case r.UsesNoDaemon:
		return ""
	case errors.Is(err, access.ErrUnauthenticated):
		return "`rtmanager login` logs in, if the daemon has an identity provider; --token-file, --cert with --key, or --context select other credentials"
	case errors.Is(err, access.ErrForbidden):
		return "`rtmanager whoami` shows your roles and `rtmanager can-i` what they permit; an administrator changes them with `rtmanager role`"
	case errors.As(err, &conflict):
		errors.As(err, &write)
		return conflictHint(conflict, write.To)
	case errors.As(err, &busy) && busy.GameID != "":
		return fmt.Sprintf("`rtmanager explain %s` shows the operation in progress", render.ShellWord(busy.GameID))
	case errors.Is(err, operation.ErrManaged):
		return "`rtmanager stop`, `start` and `cleanup` change the game; --record-only changes its record nevertheless"
	case errors.Is(err, node.ErrUnreachable):
		return "`rtmanager nodes` lists the nodes that are present and their addresses, which `rtmanager serve --advertise` sets"
	case errors.Is(err, operation.ErrUnknownOperation):
		return "`rtmanager operations` lists the operations in progress, and `rtmanager operations GAME` the recent ones of a game"
	case errors.Is(err, secret.ErrNotFound), errors.Is(err, secret.ErrUnresolved):
		return "`rtmanager secret list` lists the secrets"
	case errors.Is(err, secret.ErrNoKeys):
		return "start each daemon with --secrets-key-file; `rtmanager secret generate-key --file FILE` creates such a file"
	case errors.Is(err, runtime.ErrNotFound):
		return "`rtmanager list` lists the games"
	case isNetworkError(err):
		return "`rtmanager serve --docker-allow-network` on the game's node allows further networks"
	case errors.Is(err, runtime.ErrOutcomeUnknown) && errors.As(err, &write):
		return write.UnknownHint
	case errors.Is(err, runtime.ErrLimited):
		return "the daemon limits what one caller may use (`rtmanager serve --limit-rate` and others): wait, and send fewer requests"
	case errors.Is(err, runtime.ErrUnavailable):
		return r.unavailableHint(err)
	case errors.Is(err, runtime.ErrCompacted):
		return "restart with a snapshot: omit --from-revision, or add --resync"
	case errors.Is(err, runtime.ErrForeignRevision):
		return "the revision is in the future, or belongs to another store: omit --from-revision to start with a snapshot"
	case errors.Is(err, runtime.ErrReadOnly):
		return "reads still work; give etcd more space, or delete records"
	case errors.Is(err, runtime.ErrCorrupt):
		return "`rtmanager fsck` lists every corrupt value; they are never overwritten"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("it took longer than %s; increase --timeout", r.Timeout)
	}
	return ""
}

// isNetworkError reports whether a node rejected the network of a spec.
func isNetworkError(err error) bool {
	var invalid *runtime.InvalidError
	return errors.As(err, &invalid) && invalid.Field == "network"
}

// unavailableHint distinguishes a daemon that does not respond from one that responds but
// whose store is unavailable.
func (r Reporter) unavailableHint(err error) string {
	server := render.Printable(r.Server)
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return fmt.Sprintf("no daemon responds at %s; start one with `rtmanager serve`, or select another with --server or RTMANAGER_SERVER", server)
	}
	if strings.Contains(err.Error(), "the daemon is starting") { // cluster status does not work before
		return fmt.Sprintf("repeat the command when the daemon at %s is ready, or select another daemon with --server or --context", server)
	}
	return fmt.Sprintf("the daemon at %s is running but cannot do this now; its log has the reason, and `rtmanager cluster status` shows the state of its etcd", server)
}

// conflictHint returns the hint for a transition to a status, or for a put if to is empty.
func conflictHint(conflict *runtime.ConflictError, to runtime.Status) string {
	history := "`rtmanager history " + render.ShellWord(conflict.GameID) + "` shows the change"
	current := conflict.Current.Status
	switch {
	case conflict.Revision == 0:
		return "omit --if-revision, or use 0, to insert the record"
	case conflict.Precondition == runtime.PreconditionRevision:
		return fmt.Sprintf("%s; --if-revision %d overwrites the current record", history, conflict.Revision)
	case conflict.Precondition == runtime.PreconditionContainerID:
		return history + "; --container-id guards against changing the record of another container"
	case current == to:
		return fmt.Sprintf("%s; the game is already %s", history, to)
	case runtime.Transition(current, to) != nil:
		return fmt.Sprintf("%s; a %s game cannot become %s", history, render.Cell(string(current)), to)
	}
	return fmt.Sprintf("%s; use --from %s to change the current record", history, current)
}
