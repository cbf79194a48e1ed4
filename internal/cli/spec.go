package cli

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// specFlags say how, and where, a game is to be run.
type specFlags struct {
	file, region, node string

	image, network, healthPath, onNodeLost, memory    string
	env                                               []string
	port, containerPort, crashAttempts                int
	cpus                                              float64
	healthTimeout, stopGrace, crashWindow, crashDelay time.Duration
}

func (f *specFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "filename", "f", "", "`FILE` that says how to run the game, - for standard input")
	flags.StringVar(&f.image, "image", "", "the `IMAGE` to run, such as gameserver:1.0.0")
	flags.StringVar(&f.region, "region", "", "`REGION` to start a game in that has no node yet")
	flags.StringVar(&f.node, "node", "", "`NODE` to start a game on that has none yet")
	flags.StringArrayVar(&f.env, "env", nil, "a variable of the game, `NAME=VALUE`; once for each, and no secrets")
	flags.StringVar(&f.network, "network", "", "`NETWORK` of the engine to join")
	flags.IntVar(&f.port, "port", 0, "`PORT` on the node at which the game is reached; 0 is any")
	flags.IntVar(&f.containerPort, "container-port", 0, "`PORT` that the game listens on inside its container; 8080 by default")
	flags.Float64Var(&f.cpus, "cpus", 0, "how many CPUs it may use; 0 is no limit")
	flags.StringVar(&f.memory, "memory", "", "how much memory it may use, a `SIZE` such as 256MiB")
	flags.StringVar(&f.healthPath, "health-path", "", "`PATH` that answers 2xx when the game is well, or none; /healthz by default")
	flags.DurationVar(&f.healthTimeout, "health-timeout", 0, "how long a start waits for health; 30s by default")
	flags.DurationVar(&f.stopGrace, "stop-grace", 0, "how long a stop waits before it kills; 10s by default")
	flags.IntVar(&f.crashAttempts, "crash-attempts", 0, "how often a game that crashed is started again within --crash-window")
	flags.DurationVar(&f.crashWindow, "crash-window", 0, "the time in which attempts are counted; 10m by default")
	flags.DurationVar(&f.crashDelay, "crash-delay", 0, "how long after a crash the game is started again; 1s by default")
	flags.StringVar(&f.onNodeLost, "on-node-lost", "", "what to do when the node is gone: `keep|reschedule`")
	_ = cmd.RegisterFlagCompletionFunc("on-node-lost", cobra.FixedCompletions(
		[]string{string(operation.NodeLostKeep), string(operation.NodeLostReschedule)}, cobra.ShellCompDirectiveNoFileComp))
}

// over writes the flags that were given over the spec, and reports whether any were.
func (f *specFlags) over(cmd *cobra.Command, spec *operation.Spec) (bool, error) {
	memory, errMemory := parseMemory(f.memory)
	env, errEnv := parseEnv(f.env, spec.Env)
	if err := errors.Join(errMemory, errEnv); err != nil {
		return false, err
	}
	changed := false
	for name, set := range map[string]func(){
		"image":          func() { spec.Image = f.image },
		"env":            func() { spec.Env = env },
		"network":        func() { spec.Network = f.network },
		"port":           func() { spec.Port = f.port },
		"container-port": func() { spec.ContainerPort = f.containerPort },
		"cpus":           func() { spec.CPUs = f.cpus },
		"memory":         func() { spec.MemoryBytes = memory },
		"health-path":    func() { spec.HealthPath = f.healthPath },
		"health-timeout": func() { spec.HealthTimeout = operation.Duration(f.healthTimeout) },
		"stop-grace":     func() { spec.StopGrace = operation.Duration(f.stopGrace) },
		"crash-attempts": func() { spec.Crash.Attempts = f.crashAttempts },
		"crash-window":   func() { spec.Crash.Window = operation.Duration(f.crashWindow) },
		"crash-delay":    func() { spec.Crash.Delay = operation.Duration(f.crashDelay) },
		"on-node-lost":   func() { spec.OnNodeLost = operation.NodeLostPolicy(f.onNodeLost) },
	} {
		if cmd.Flags().Changed(name) {
			set()
			changed = true
		}
	}
	return changed, nil
}

func parseMemory(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	bytes, err := humanize.ParseBytes(text)
	if err != nil || bytes > math.MaxInt64 {
		return 0, &runtime.InvalidError{Field: "--memory", Reason: fmt.Sprintf("%q is not a size; write it like 256MiB or 1GB", clip(text, 64))}
	}
	return int64(bytes), nil
}

// parseEnv adds the variables to those of the file, of which it shares nothing.
func parseEnv(given []string, before map[string]string) (map[string]string, error) {
	env := maps.Clone(before)
	if env == nil {
		env = map[string]string{}
	}
	named := map[string]bool{}
	for _, variable := range given {
		name, value, found := strings.Cut(variable, "=")
		switch {
		case !found || name == "":
			return nil, &runtime.InvalidError{Field: "--env", Reason: fmt.Sprintf("%q is not NAME=VALUE", clip(variable, 64))}
		case named[name]:
			return nil, &runtime.InvalidError{Field: "--env", Reason: fmt.Sprintf("names %q twice", clip(name, 64))}
		}
		named[name], env[name] = true, value
	}
	return env, nil
}

// flagFaults puts the faults of a spec under the names of the flags that were given.
func flagFaults(cmd *cobra.Command, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var faults []error
	for _, fault := range joined.Unwrap() {
		var invalid *runtime.InvalidError
		if errors.As(fault, &invalid) {
			name := strings.NewReplacer("_bytes", "", "_", "-", ".", "-").Replace(invalid.Field)
			if cmd.Flags().Changed(name) {
				fault = underFlag(fault, "--"+name)
			}
		}
		faults = append(faults, fault)
	}
	return errors.Join(faults...)
}

// underFlag tells of an input that was refused under the name of its flag.
func underFlag(err error, flag string) error {
	var invalid *runtime.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	return &runtime.InvalidError{Field: flag, Reason: invalid.Reason}
}
