package ports

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// The longest texts of an Origin, in bytes.
const (
	MaxOperationIDBytes = 128
	MaxActorBytes       = 256
	MaxReasonBytes      = 1024
)

// Validate returns nil for an origin that a ledger can keep, and otherwise a
// *runtime.InvalidError on "operation_id", "actor" or "reason".
func (o Origin) Validate() error {
	if err := boundedText("operation_id", o.OperationID, MaxOperationIDBytes); err != nil {
		return err
	}
	for _, r := range o.OperationID {
		if !unicode.IsPrint(r) {
			return &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("%q holds %q, which cannot be printed", o.OperationID, r)}
		}
	}
	if err := boundedText("actor", o.Actor, MaxActorBytes); err != nil {
		return err
	}
	return boundedText("reason", o.Reason, MaxReasonBytes)
}

func boundedText(field, text string, most int) error {
	if len(text) > most {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), most)}
	}
	return validText(field, text)
}

func validText(field, text string) error {
	if !utf8.ValidString(text) {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.64q is not valid UTF-8", text)}
	}
	return nil
}
