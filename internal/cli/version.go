package cli

import (
	"context"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
)

// version is the version of a release, set by the linker:
// -ldflags "-X galaxy/rtmanager/internal/cli.version=v1.2.3".
var version string

// buildVersion says what this binary is.
type buildVersion struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func clientVersion() buildVersion {
	v := buildVersion{Version: version, Go: goruntime.Version(), Platform: goruntime.GOOS + "/" + goruntime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" {
		v.Version = "unknown"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which versions the client, the daemon and the store are",
		Long: `Version describes this binary, the daemon that it talks to, and the store behind
that. When the daemon does not answer, it exits with 5 after the client's part.`,
		Example: `  rtmanager version
  rtmanager version --client
  rtmanager version -o json | jq -r .server.store_id`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "do not ask the daemon")
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error { return a.version(cmd.Context(), clientOnly) })
	return cmd
}

func (a *app) version(ctx context.Context, clientOnly bool) error {
	var versions struct {
		Client buildVersion `json:"client"`
		Server *api.Cluster `json:"server,omitempty"`
	}
	versions.Client = clientVersion()
	var unanswered error
	if !clientOnly {
		unanswered = a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
			cluster, err := client.Cluster(ctx)
			if err == nil {
				versions.Server = &cluster
			}
			return err
		})
	}
	if encoder, ok := a.encoder(a.streams.Out); ok {
		if err := encoder.encode(versions); err != nil {
			return err
		}
		return unanswered
	}
	t := &table{header: []string{"", ""}}
	describeClient(t, versions.Client)
	if versions.Server != nil {
		describeServer(t, *versions.Server)
	}
	if err := t.write(a.streams.Out, false, nil); err != nil {
		return err
	}
	return unanswered
}

func describeClient(t *table, v buildVersion) {
	t.add("Client:", v.Version)
	if v.Commit != "" {
		commit := v.Commit
		if v.Modified {
			commit += " (modified)"
		}
		t.add("  Commit:", commit)
	}
	t.add("  Go:", v.Go+" "+v.Platform)
}

func describeServer(t *table, c api.Cluster) {
	t.add("Server:", cell(c.Version))
	t.add("  Region:", cell(c.Region))
	t.add("  Node:", cell(c.Node))
	t.add("  Store:", cell(c.StoreID))
	t.add("  Revision:", strconv.FormatInt(c.Revision, 10))
	t.add("  Schema:", strconv.Itoa(c.SchemaVersion))
	for _, m := range c.Members {
		t.add("  Member:", fmt.Sprintf("%s, etcd %s", cell(m.Name), cell(m.Version)))
	}
}
