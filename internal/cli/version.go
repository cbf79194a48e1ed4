package cli

import (
	"context"
	goruntime "runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/output"
)

// version is the version of a release, set by the linker:
// -ldflags "-X galaxy/rtmanager/internal/cli.version=v1.2.3".
var version string

// clientBuild returns the build information of this binary.
func clientBuild() output.Build {
	b := output.Build{Version: version, Go: goruntime.Version(), Platform: goruntime.GOOS + "/" + goruntime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "unknown"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Commit = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show client, server and store versions",
		Long: `Version shows the versions of this binary, of the daemon that it connects to, and of
the daemon's store. If the daemon does not respond, it prints the client's version
and exits with 5.`,
		Example: `  rtmanager version
  rtmanager version --client
  rtmanager version -o json | jq -r .server.store_id`,
		Args: requireNoArguments,
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "show the client's version only")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error { return a.version(cmd.Context(), clientOnly) })
	return cmd
}

func (a *app) version(ctx context.Context, clientOnly bool) error {
	versions := output.Versions{Client: clientBuild()}
	var serverErr error
	if !clientOnly {
		serverErr = a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
			cluster, err := client.Cluster(ctx)
			if err == nil {
				versions.Server = &cluster
			}
			return err
		})
	}
	if err := a.printer().Versions(versions); err != nil {
		return err
	}
	return serverErr
}
