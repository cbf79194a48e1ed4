// Package maintenancecmd has the commands that take nodes and regions out of service: cordon,
// uncordon, drain, pause and resume.
//
//	command.go   what the commands share
//	settings.go  the commands that change settings
//	drain.go     drain, which follows the progress of the daemon
package maintenancecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Commands returns the commands.
func Commands(h host.Host) []*cobra.Command {
	c := commands{h}
	return []*cobra.Command{c.cordonCommand(), c.uncordonCommand(), c.drainCommand(), c.pauseCommand(), c.resumeCommand()}
}

type commands struct{ host.Host }

// origin returns the origin of a change. Its validity is checked by the client.
func (c commands) origin(reason string) ports.Origin {
	return ports.Origin{Actor: c.UserName(), Reason: reason}
}

// findNode returns the node of REGION/NODE, or of NODE if that name is unique.
func findNode(ctx context.Context, client *httpclient.Client, text string) (node.Ref, error) {
	if strings.Contains(text, "/") {
		ref, err := node.ParseRef(text)
		if err != nil {
			return ref, exit.UsageError{Err: err}
		}
		return ref, nil
	}
	nodes, err := client.Nodes(ctx)
	if err != nil {
		return node.Ref{}, err
	}
	var found []node.Ref
	for _, n := range nodes.Items {
		if n.Name == text {
			found = append(found, n.Ref())
		}
	}
	switch len(found) {
	case 0:
		return node.Ref{}, adviseUnknown(fmt.Errorf("no node has the name %q: %w", text, runtime.ErrNotFound))
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, ref := range found {
		names[i] = ref.String()
	}
	slices.Sort(names)
	return node.Ref{}, exit.UsageError{Err: fmt.Errorf("%q is the name of several nodes; use one of %s", text, strings.Join(names, ", "))}
}

// unknownError is runtime.ErrNotFound for a node or region; its text does not speak of a game.
type unknownError struct{ err error }

func (e unknownError) Error() string {
	return strings.TrimSuffix(e.err.Error(), ": "+runtime.ErrNotFound.Error())
}

func (e unknownError) Unwrap() error { return e.err }

// adviseUnknown adds the hint for a node or region that does not exist.
func adviseUnknown(err error) error {
	if errors.Is(err, runtime.ErrNotFound) {
		return exit.HintError{Err: unknownError{err}, Hint: "`rtmanager nodes` lists the nodes"}
	}
	return err
}

// print prints a result of one line, or value in a structured format.
func (c commands) print(value any, format string, args ...any) error {
	if done, err := c.Printer().Encode(value); done {
		return err
	}
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err
}

// nodeName returns a node for a line of output.
func nodeName(ref node.Ref) string { return render.Value(ref.String()) }
