package cli

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// originFlags says where a write comes from.
type originFlags struct{ operationID, reason string }

func (f *originFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the game's history")
	cmd.Flags().StringVar(&f.operationID, "operation-id", "", "name of this write: repeated with the same `ID` it is done once")
}

// check returns the faults of the flags under their own names.
func (f *originFlags) check() error {
	err := ports.Origin{OperationID: f.operationID, Reason: f.reason}.Validate()
	var invalid *runtime.InvalidError
	if errors.As(err, &invalid) {
		return &runtime.InvalidError{Field: "--" + strings.ReplaceAll(invalid.Field, "_", "-"), Reason: invalid.Reason}
	}
	return err
}

// origin completes the flags: a fresh operation id, so that a write whose
// answer is lost can be repeated by hand too, and the user as the actor.
func (a *app) origin(flags originFlags) ports.Origin {
	if flags.operationID == "" {
		flags.operationID = uuid.Must(uuid.NewV7()).String()
	}
	user, _ := a.streams.LookupEnv("USER")
	if len(user) > ports.MaxActorBytes || !utf8.ValidString(user) {
		user = "" // nobody asked for an actor, so one that cannot be kept is no fault
	}
	return ports.Origin{OperationID: flags.operationID, Reason: flags.reason, Actor: user}
}
