// Package said is what the Go programs here share: how a client says what it got, and where a server listens.
package said

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Step writes a line of JSON: [step, got].
func Step(step string, got any) {
	line, err := json.Marshal([]any{step, got})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// Fatal ends the program.
func Fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Serve serves on a free port of the loopback, and says which.
func Serve(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listens on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	return http.Serve(listener, handler)
}

// Three gives the three values that come, or those that came within two seconds: an answer in plain JSON has none before it.
func Three[T any](from <-chan T) []T {
	all := []T{}
	patience := time.After(2 * time.Second)
	for len(all) < 3 {
		select {
		case each := <-from:
			all = append(all, each)
		case <-patience:
			return all
		}
	}
	return all
}

// Has tells whether an option was given.
func Has(arguments []string, option string) bool {
	for _, each := range arguments {
		if each == option {
			return true
		}
	}
	return false
}

// Greeting is what `echo` is asked to say.
const Greeting = "grüß dich 🙂 \u2028 \"x\" <&>"
