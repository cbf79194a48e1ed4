package output

import (
	"fmt"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// deleted is a deleted game as JSON.
type deleted struct {
	GameID  string `json:"game_id"`
	Deleted bool   `json:"deleted"`
}

// Deleted prints one deleted game.
func (p *Printer) Deleted(gameID string) error {
	if done, err := p.Encode(deleted{GameID: gameID, Deleted: true}); done {
		return err
	}
	_, err := fmt.Fprintf(p.Out, "%s deleted\n", render.Value(gameID))
	return err
}
