package flags

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Origin are the flags that describe the origin of a write.
type Origin struct{ OperationID, Reason string }

// Bind declares the flags.
func (f *Origin) Bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Reason, "reason", "", "reason to record in the game's history")
	cmd.Flags().StringVar(&f.OperationID, "operation-id", "", "idempotency key: a request with the same `ID` is executed once")
}

// Validate returns the errors of the values. The errors name the flags.
func (f *Origin) Validate() error {
	err := ports.Origin{OperationID: f.OperationID, Reason: f.Reason}.Validate()
	var invalid *runtime.InvalidError
	if errors.As(err, &invalid) {
		return &runtime.InvalidError{Field: "--" + strings.ReplaceAll(invalid.Field, "_", "-"), Reason: invalid.Reason}
	}
	return err
}

// PortsOrigin returns the origin of a write by the user. It generates an operation id if
// there is none, so that the user can repeat a write whose response was lost. It omits a
// user name that cannot be stored.
func (f *Origin) PortsOrigin(user string) ports.Origin {
	id := f.OperationID
	if id == "" {
		id = operation.NewID()
	}
	if len(user) > ports.MaxActorBytes || !utf8.ValidString(user) {
		user = ""
	}
	return ports.Origin{OperationID: id, Reason: f.Reason, Actor: user}
}
