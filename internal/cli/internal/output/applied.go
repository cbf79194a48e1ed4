package output

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Applied is the result of apply for one game.
type Applied struct {
	GameID string `json:"game_id"`
	// Result is created, configured, unchanged or pruned.
	Result string `json:"result"`
	// Changes are the members that have changed.
	Changes  []string `json:"changes,omitempty"`
	IsDryRun bool     `json:"dry_run,omitempty"`
	// Record is the resulting record; nil if there is none.
	Record *runtime.VersionedRecord `json:"-"`
}

// appliedDocument is an Applied as JSON.
type appliedDocument struct {
	Applied

	Record *versioned `json:"record,omitempty"`
}

// Applied prints the result of apply for one game.
func (p *Printer) Applied(applied Applied) error {
	document := appliedDocument{Applied: applied}
	if v := applied.Record; v != nil {
		document.Record = &versioned{v.Record, v.Revision}
	}
	if done, err := p.Encode(document); done {
		return err
	}
	text := render.Value(applied.GameID) + " " + applied.Result
	if len(applied.Changes) > 0 {
		text += " (" + strings.Join(applied.Changes, ", ") + ")"
	}
	if applied.IsDryRun {
		text += " (dry run)"
	} else if v := applied.Record; v != nil {
		text += fmt.Sprintf(": %s%s, revision %d", v.Record.Status, OnNode(v.Record), v.Revision)
	}
	_, err := fmt.Fprintln(p.Out, text)
	return err
}

// Manifests prints manifests of games, one document each: as JSON, and otherwise as YAML.
func (p *Printer) Manifests(manifests []any) error {
	encoder := p.newEncoder(p.Out)
	if encoder == nil {
		encoder = render.NewYAMLEncoder(p.Out)
	}
	for _, one := range manifests {
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}
