package flags

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Spec are the flags that describe how and where to run a game.
type Spec struct {
	File, Region, Node string
	// EnvFile is the file of --env-from-file, empty for none.
	EnvFile string
	// Metadata and MetadataFile are the values of --metadata and --metadata-file; at most one is given.
	Metadata, MetadataFile string

	placementFlags
	image, network, healthPath, onNodeLost, memory    string
	stopSignal, crashCondition                        string
	env, secrets, regions, gamePorts, labels          []string
	port, containerPort, crashAttempts                int
	cpus                                              float64
	healthTimeout, stopGrace, crashWindow, crashDelay time.Duration
	health                                            healthFlags
}

// healthFlags are the flags of the health check.
type healthFlags struct {
	kind, command, port           string
	startDelay, interval, timeout time.Duration
	failureThreshold              int
}

// Bind declares the flags.
func (f *Spec) Bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.File, "filename", "f", "", "`FILE` that describes how to run the game, - for standard input")
	flags.StringVar(&f.image, "image", "", "`IMAGE` to run, such as gameserver:1.0.0")
	flags.StringVar(&f.Region, "region", "", "`REGION` to start the game in, if it has no node yet")
	flags.StringVar(&f.Node, "node", "", "`NODE` to start the game on, if it has none yet: REGION/NODE, or a node of --region")
	flags.StringArrayVar(&f.env, "env", nil, "environment variable of the game, `NAME=VALUE`, repeatable; not for secrets")
	flags.StringArrayVar(&f.labels, "label", nil, "label of the game, `KEY=VALUE`, repeatable; they replace the current labels of the game")
	flags.StringVar(&f.Metadata, "metadata", "", "metadata of the game, a `JSON` object; it replaces the current metadata of the game")
	flags.StringVar(&f.MetadataFile, "metadata-file", "", "`FILE` of JSON or YAML with the metadata of the game, - for standard input")
	cmd.MarkFlagsMutuallyExclusive("metadata", "metadata-file")
	flags.StringArrayVar(&f.secrets, "secret", nil, "`NAME` of a secret whose values become environment variables of the game, repeatable")
	flags.StringVar(&f.EnvFile, "env-from-file", "", "`FILE` of secret variables of the game, one NAME=VALUE per line; they are stored encrypted")
	flags.StringVar(&f.network, "network", "", "`NETWORK` of the engine to join")
	flags.IntVar(&f.port, "port", 0, "`PORT` on the node to publish the game at; 0 selects a free one")
	flags.IntVar(&f.containerPort, "container-port", 0, "`PORT` that the game listens on in its container (default 8080)")
	flags.StringArrayVar(&f.gamePorts, "game-port", nil, "port at which players reach the game, `NAME:[NODE_PORT:]CONTAINER_PORT[/tcp|/udp]`, such as game:7777/udp, repeatable; NAME/udp for a game that listens on the port of the node")
	flags.Float64Var(&f.cpus, "cpus", 0, "CPU limit; 0 means no limit")
	flags.StringVar(&f.memory, "memory", "", "memory limit, a `SIZE` such as 256MiB; 0 means no limit")
	f.bindPlacement(cmd)
	flags.StringVar(&f.healthPath, "health-path", "", "HTTP `PATH` that returns 2xx when the game is healthy, or none (default /healthz)")
	flags.DurationVar(&f.healthTimeout, "health-timeout", 0, "how long a start waits until the game is healthy (default 30s)")
	flags.StringVar(&f.health.kind, "health", "", "`KIND` of health checks: http|tcp|exec|heartbeat|none, of the main port, by --health-cmd, or of the file heartbeat in the HOME of the game (default http)")
	flags.StringVar(&f.health.command, "health-cmd", "", "`COMMAND` of the kind exec, which exits with 0 if the game is healthy: a JSON array such as [\"/game\",\"check\"], or text for sh -c")
	flags.StringVar(&f.health.port, "health-port", "", "`NAME` of the --game-port that http and tcp checks use (default the main port)")
	flags.DurationVar(&f.health.startDelay, "health-start-delay", 0, "how long after a start failed health checks do not count")
	flags.DurationVar(&f.health.interval, "health-interval", 0, "least time between two health checks; the greatest age of a heartbeat (default 10s)")
	flags.DurationVar(&f.health.timeout, "health-check-timeout", 0, "how long one health check may take (default 2s)")
	flags.IntVar(&f.health.failureThreshold, "health-failure-threshold", 0, "number of failed health checks in a row that make a game unhealthy (default 3)")
	flags.DurationVar(&f.stopGrace, "stop-grace", 0, "how long a stop waits before it kills the game (default 10s)")
	flags.StringVar(&f.stopSignal, "stop-signal", "", "`SIGNAL` that a stop sends first, such as SIGINT (default: that of the image, or SIGTERM)")
	flags.StringVar(&f.crashCondition, "crash-condition", "", "which exits are crashes: `any|on-failure`; on-failure excludes exit code 0 (default any)")
	flags.IntVar(&f.crashAttempts, "crash-attempts", 0, "how many times to restart a crashed game within --crash-window; 0 means never")
	flags.DurationVar(&f.crashWindow, "crash-window", 0, "period in which restarts are counted (default 10m)")
	flags.DurationVar(&f.crashDelay, "crash-delay", 0, "how long to wait before a restart (default 1s)")
	flags.StringVar(&f.onNodeLost, "on-node-lost", "", "what to do if the node is lost: `keep|reschedule` (default keep)")
	flags.StringSliceVar(&f.regions, "regions", nil, "`REGION,...` in which to start the game when its node is lost and no node of its own region can run it, the preferred one first")
	_ = cmd.RegisterFlagCompletionFunc("stop-signal", cobra.FixedCompletions(operation.StopSignals(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("crash-condition", cobra.FixedCompletions(
		[]string{string(operation.CrashAny), string(operation.CrashOnFailure)}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions(operation.HealthKinds(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("on-node-lost", cobra.FixedCompletions(
		[]string{string(operation.NodeLostKeep), string(operation.NodeLostReschedule)}, cobra.ShellCompDirectiveNoFileComp))
}

// Apply overwrites fields of the spec by the flags that were given, and reports whether
// there were any.
func (f *Spec) Apply(cmd *cobra.Command, spec *operation.Spec) (bool, error) {
	memory, errMemory := parseMemory("--memory", f.memory)
	env, errEnv := parseEnv(f.env, spec.Env)
	gamePorts, errPorts := parseGamePorts(f.gamePorts)
	healthCommand, errHealth := parseHealthCommand(f.health.command)
	if err := errors.Join(errMemory, errEnv, errPorts, errHealth); err != nil {
		return false, err
	}
	changed, err := f.applyPlacement(cmd, spec)
	if err != nil {
		return false, err
	}
	for name, set := range map[string]func(){
		"image":                    func() { spec.Image = f.image },
		"env":                      func() { spec.Env = env },
		"secret":                   func() { spec.Secrets = f.secrets },
		"network":                  func() { spec.Network = f.network },
		"port":                     func() { spec.Port = f.port },
		"container-port":           func() { spec.ContainerPort = f.containerPort },
		"game-port":                func() { spec.Ports = gamePorts },
		"cpus":                     func() { spec.CPUs = f.cpus },
		"memory":                   func() { spec.MemoryBytes = memory },
		"health-path":              func() { spec.HealthPath = f.healthPath },
		"health-timeout":           func() { spec.HealthTimeout = operation.Duration(f.healthTimeout) },
		"health":                   func() { spec.Health.Kind = operation.HealthKind(f.health.kind) },
		"health-cmd":               func() { spec.Health.Exec.Command = healthCommand },
		"health-port":              func() { spec.Health.Port = f.health.port },
		"health-start-delay":       func() { spec.Health.StartDelay = operation.Duration(f.health.startDelay) },
		"health-interval":          func() { spec.Health.Interval = operation.Duration(f.health.interval) },
		"health-check-timeout":     func() { spec.Health.Timeout = operation.Duration(f.health.timeout) },
		"health-failure-threshold": func() { spec.Health.FailureThreshold = f.health.failureThreshold },
		"stop-grace":               func() { spec.StopGrace = operation.Duration(f.stopGrace) },
		"stop-signal":              func() { spec.StopSignal = f.stopSignal },
		"crash-condition":          func() { spec.Crash.Condition = operation.CrashCondition(f.crashCondition) },
		"crash-attempts":           func() { spec.Crash.Attempts = f.crashAttempts },
		"crash-window":             func() { spec.Crash.Window = operation.Duration(f.crashWindow) },
		"crash-delay":              func() { spec.Crash.Delay = operation.Duration(f.crashDelay) },
		"on-node-lost":             func() { spec.OnNodeLost = operation.NodeLostPolicy(f.onNodeLost) },
		"regions":                  func() { spec.Regions = f.regions },
	} {
		if cmd.Flags().Changed(name) {
			set()
			changed = true
		}
	}
	return changed, nil
}

func parseGamePorts(given []string) ([]operation.PortSpec, error) {
	var ports []operation.PortSpec
	for _, text := range given {
		port, err := operation.ParsePort(text)
		if err != nil {
			return nil, &runtime.InvalidError{Field: "--game-port", Reason: err.Error()}
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func parseMemory(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	bytes, err := humanize.ParseBytes(text)
	if err != nil || bytes > math.MaxInt64 {
		return 0, &runtime.InvalidError{Field: flag, Reason: fmt.Sprintf("%q is not a size; write it like 256MiB or 1GB", render.Truncate(text, 64))}
	}
	return int64(bytes), nil
}

// parseEnv returns a copy of base with the given variables added.
func parseEnv(given []string, base map[string]string) (map[string]string, error) {
	env := maps.Clone(base)
	if env == nil {
		env = map[string]string{}
	}
	seen := map[string]bool{}
	for _, variable := range given {
		name, value, found := strings.Cut(variable, "=")
		switch {
		case !found || name == "":
			return nil, &runtime.InvalidError{Field: "--env", Reason: fmt.Sprintf("%q is not NAME=VALUE", render.Truncate(variable, 64))}
		case seen[name]:
			return nil, &runtime.InvalidError{Field: "--env", Reason: fmt.Sprintf("sets %q twice", render.Truncate(name, 64))}
		}
		seen[name], env[name] = true, value
	}
	return env, nil
}

// NameFlags replaces field names in the errors of a spec by the names of given flags.
func NameFlags(cmd *cobra.Command, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	for _, one := range joined.Unwrap() {
		var invalid *runtime.InvalidError
		if errors.As(one, &invalid) {
			name := strings.NewReplacer("_bytes", "", "_", "-", ".", "-").Replace(invalid.Field)
			if cmd.Flags().Changed(name) {
				one = NameFlag(one, "--"+name)
			}
		}
		errs = append(errs, one)
	}
	return errors.Join(errs...)
}

// NameFlag replaces the field name of an InvalidError by the flag.
func NameFlag(err error, flag string) error {
	var invalid *runtime.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	return &runtime.InvalidError{Field: flag, Reason: invalid.Reason}
}

// CheckInput returns an error if more than one flag reads standard input.
func (f *Spec) CheckInput() error {
	input := ""
	for _, flag := range [][2]string{{"-f", f.File}, {"--env-from-file", f.EnvFile}, {"--metadata-file", f.MetadataFile}} {
		switch {
		case flag[1] != "-":
		case input != "":
			return fmt.Errorf("%s and %s cannot both be standard input", input, flag[0])
		default:
			input = flag[0]
		}
	}
	return nil
}

// Labels returns the labels of the flags, or else the given ones.
func (f *Spec) Labels(current map[string]string) (map[string]string, error) {
	if len(f.labels) == 0 {
		return current, nil
	}
	return ParseLabels("--label", f.labels)
}

// ParseLabels parses labels of the form KEY=VALUE. The error names the flag.
func ParseLabels(flag string, texts []string) (map[string]string, error) {
	labels := make(map[string]string, len(texts))
	for _, text := range texts {
		key, value, isPair := strings.Cut(text, "=")
		if !isPair {
			return nil, &runtime.InvalidError{Field: flag, Reason: fmt.Sprintf("%.80q is not KEY=VALUE, such as env=prod", text)}
		}
		labels[key] = value
	}
	return labels, runtime.ValidateLabels(flag, labels)
}
