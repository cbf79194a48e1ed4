package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// runCommand runs a command next to the server, in its container: an image from scratch has no other program. It
// returns the exit code.
//
//	run echo WORD…     writes the words to standard output
//	run cat            copies standard input to standard output
//	run env NAME       writes a variable to standard output
//	run pwd            writes the working directory to standard output
//	run exit CODE TEXT writes the text to standard error and exits with the code
//	run size           writes the size of the terminal for each line of standard input
//	run sleep          writes its pid, and sleeps until it is killed
//	run detach         starts run sleep in a session of its own, writes its pid, and exits
//	run alive PID      exits with 0 if the process lives, and with 1 otherwise
func runCommand(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{""}
	}
	name, args := args[0], args[1:]
	switch name {
	case "echo":
		fmt.Fprintln(stdout, strings.Join(args, " "))
	case "cat":
		_, _ = io.Copy(stdout, stdin)
	case "env":
		fmt.Fprintln(stdout, os.Getenv(strings.Join(args, "")))
	case "pwd":
		directory, _ := os.Getwd()
		fmt.Fprintln(stdout, directory)
	case "exit":
		return exitWith(args, stderr)
	case "size":
		return showSize(stdin, stdout)
	case "sleep":
		fmt.Fprintln(stdout, os.Getpid())
		time.Sleep(time.Hour)
	case "detach":
		return startDetached(stdout, stderr)
	case "alive":
		return isAlive(args)
	default:
		fmt.Fprintf(stderr, "no command %q\n", name)
		return 2
	}
	return 0
}

// exitWith writes the text of the arguments, and returns their code.
func exitWith(args []string, stderr io.Writer) int {
	code := 2
	if len(args) > 0 {
		_, _ = fmt.Sscan(args[0], &code)
		fmt.Fprintln(stderr, strings.Join(args[1:], " "))
	}
	return code
}

// startDetached starts a process that outlives this one.
func startDetached(stdout, stderr io.Writer) int {
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	child := exec.CommandContext(context.Background(), program, "run", "sleep")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintln(stdout, child.Process.Pid)
	return 0
}

// showSize writes the size of the terminal of the input for each line of it.
func showSize(stdin io.Reader, stdout io.Writer) int {
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		width, height, err := term.GetSize(int(os.Stdin.Fd()))
		fmt.Fprintf(stdout, "%dx%d %v\n", width, height, err)
	}
	return 0
}

// isAlive returns 0 if the process lives.
func isAlive(args []string) int {
	pid, err := strconv.Atoi(strings.Join(args, ""))
	if err == nil {
		err = syscall.Kill(pid, 0)
	}
	if err != nil {
		return 1
	}
	return 0
}
