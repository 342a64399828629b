using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive.Tests.Samples;

/// <summary>One page in a real browser without a window, spoken to by its DevTools protocol.</summary>
internal sealed partial class HeadlessChromium : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private int _id;

    private HeadlessChromium(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>Opens a page; null where no Chromium is installed.</summary>
    public static async Task<HeadlessChromium?> OpenAsync(string url, CancellationToken cancellation)
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        if (program is null)
            return null;
        string profile = Directory.CreateTempSubdirectory("chromium").FullName;
        Process process = Process.Start(new ProcessStartInfo(
            program, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", $"--user-data-dir={profile}", "--remote-debugging-port=0", url]) { RedirectStandardError = true })!;
        var browser = new HeadlessChromium(process, profile);
        try
        {
            string? line;
            while (!Listening().IsMatch(line = await process.StandardError.ReadLineAsync(cancellation) ?? throw new InvalidOperationException("Chromium ended before it listened.")))
            {
            }
            _ = process.StandardError.ReadToEndAsync(CancellationToken.None); // or a full pipe would stop it
            using var http = new HttpClient();
            JsonArray pages = (await http.GetFromJsonAsync<JsonArray>($"http://{Listening().Match(line).Groups[1].Value}/json/list", cancellation))!;
            await browser._socket.ConnectAsync(new Uri((string)pages.First(page => (string)page!["type"]! == "page")!["webSocketDebuggerUrl"]!), cancellation);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>What an expression or promise comes to.</summary>
    public async Task<JsonNode?> EvaluateAsync(string script, CancellationToken cancellation)
    {
        JsonNode said = await SendAsync("Runtime.evaluate", new() { ["expression"] = script, ["awaitPromise"] = true, ["returnByValue"] = true }, cancellation);
        return said["exceptionDetails"] is { } error ? throw new InvalidOperationException(error.ToJsonString()) : said["result"]!["value"]?.DeepClone();
    }

    /// <summary>Waits until an expression is true.</summary>
    public async Task WaitAsync(string condition, CancellationToken cancellation)
    {
        while ((bool?)await EvaluateAsync($"!!({condition})", cancellation) != true)
            await Task.Delay(100, cancellation);
    }

    /// <summary>Presses a key where the focus is; what a character types is in <paramref name="text"/>.</summary>
    public async Task PressAsync(string key, int code, int modifiers, string? text, CancellationToken cancellation)
    {
        foreach (string type in new[] { "keyDown", "keyUp" })
            await SendAsync("Input.dispatchKeyEvent", new() { ["type"] = type, ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code, ["modifiers"] = modifiers, ["text"] = type == "keyDown" ? text ?? "" : "" }, cancellation);
    }

    /// <summary>Asks the browser for something.</summary>
    public async Task<JsonNode> SendAsync(string method, JsonObject parameters, CancellationToken cancellation)
    {
        int id = ++_id;
        await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters }), WebSocketMessageType.Text, endOfMessage: true, cancellation);
        while (true)
        {
            using var message = new MemoryStream();
            var part = new byte[1 << 16];
            WebSocketReceiveResult received;
            do
            {
                received = await _socket.ReceiveAsync(part, cancellation);
                message.Write(part, 0, received.Count);
            }
            while (!received.EndOfMessage);
            JsonNode said = JsonNode.Parse(message.ToArray())!;
            if ((int?)said["id"] == id)
                return said["result"] ?? throw new InvalidOperationException(said.ToJsonString());
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        for (int attempt = 0; attempt < 20 && Directory.Exists(_profile); attempt++)
        {
            try
            {
                Directory.Delete(_profile, recursive: true);
            }
            catch (IOException)
            {
                await Task.Delay(100); // a child of the browser's is still writing
            }
        }
    }

    [GeneratedRegex(@"DevTools listening on ws://([^/]+)/")]
    private static partial Regex Listening();
}
