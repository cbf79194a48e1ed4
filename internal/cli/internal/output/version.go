package output

import (
	"fmt"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Versions are the versions of the client, the daemon and the store.
type Versions struct {
	Client Build        `json:"client"`
	Server *api.Cluster `json:"server,omitempty"` // nil if it is not known
}

// Build describes a binary.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Versions prints the versions.
func (p *Printer) Versions(versions Versions) error {
	if done, err := p.Encode(versions); done {
		return err
	}
	t := &render.Table{Header: []string{"", ""}}
	addClient(t, versions.Client)
	if versions.Server != nil {
		addServer(t, *versions.Server)
	}
	return t.Write(p.Out, false, nil)
}

func addClient(t *render.Table, b Build) {
	t.Add("Client:", b.Version)
	if b.Commit != "" {
		commit := b.Commit
		if b.Modified {
			commit += " (modified)"
		}
		t.Add("  Commit:", commit)
	}
	t.Add("  Go:", b.Go+" "+b.Platform)
}

func addServer(t *render.Table, c api.Cluster) {
	t.Add("Server:", render.Cell(c.Version))
	t.Add("  Region:", render.Cell(c.Region))
	t.Add("  Node:", render.Cell(c.Node))
	t.Add("  Store:", render.Cell(c.StoreID))
	t.Add("  Revision:", strconv.FormatInt(c.Revision, 10))
	t.Add("  Schema:", strconv.Itoa(c.SchemaVersion))
	for _, m := range c.Members {
		t.Add("  Member:", fmt.Sprintf("%s, etcd %s", render.Cell(m.Name), render.Cell(m.Version)))
	}
}
