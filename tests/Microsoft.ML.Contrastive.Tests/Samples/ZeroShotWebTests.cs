using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.Multimodal;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Samples;

/// <summary>The page for any words, served by the program itself from a small model that has a bias.</summary>
[Trait("speed", "slow")]
public sealed class ZeroShotWebTests(ZeroShotWebTests.Served served) : IClassFixture<ZeroShotWebTests.Served>
{
    private static readonly string[] s_words = ["dog", "fox", "brown numbers", "日本"];

    /// <summary>The first bytes of a PNG of 9000 x 9000 pixels, and little behind them.</summary>
    private const string OfManyPixels = "iVBORw0KGgoAAAANSUhEUgAAIygAACMoCAIAAADit+XtAAAAC0lEQVR4nGNggAEAAAoAAX+AdF4AAAAASUVORK5CYII=";

    private static CancellationToken End => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("softmax", "photos")]
    [InlineData("softmax", "none")]
    [InlineData("sigmoid", "simple")]
    public async Task Scores_are_those_of_ZeroShotClip(string scores, string templates)
    {
        JsonNode said = await Ask(HttpStatusCode.OK, served.Picture, " dog, fox\r\nbrown numbers\n\n日本,", templates, scores);
        Assert.Equal(s_words, said["labels"]!.AsArray().Select(label => (string)label!));

        var ml = new MLContext(1);
        using ImageTextTransformer model = ml.Model.LoadClip(served.Zip);
        IDataView data = ml.Data.LoadFromEnumerable([new CaptionedPicture { Image = MLImage.CreateFromStream(new MemoryStream(served.Picture)) }]);
        using ZeroShotClipTransformer classifier = ml.Transforms.ZeroShotClip(new ZeroShotClipEstimator.Options
        {
            Labels = s_words,
            Model = model,
            Templates = templates == "photos" ? PromptTemplates.Photos : templates == "none" ? PromptTemplates.None : PromptTemplates.Simple,
            Scores = scores == "sigmoid" ? ZeroShotScores.Sigmoid : ZeroShotScores.Softmax,
        }).Fit(data);
        float[] expected = classifier.Transform(data).Features("Score")[0];
        Assert.All(expected.Zip(said["scores"]!.AsArray()), pair => Assert.Equal(pair.First, (float)pair.Second!, 1e-5));
        Assert.True(expected.Distinct().Count() == s_words.Length);
    }

    [Fact]
    public async Task What_cannot_be_scored_is_said_and_nothing_breaks()
    {
        Assert.Contains("no picture that can be read", await Refused(HttpStatusCode.BadRequest, "no picture at all"u8.ToArray(), "a,b"), StringComparison.Ordinal);
        Assert.Contains("There is no picture", await Refused(HttpStatusCode.BadRequest, [], "a,b"), StringComparison.Ordinal);
        Assert.Contains("There are no labels", await Refused(HttpStatusCode.BadRequest, served.Picture, " ,\n"), StringComparison.Ordinal);
        Assert.Contains("'fox' comes twice", await Refused(HttpStatusCode.BadRequest, served.Picture, "fox, dog\nfox"), StringComparison.Ordinal);
        Assert.Contains("501 labels", await Refused(HttpStatusCode.BadRequest, served.Picture, string.Join(',', Enumerable.Range(0, 501))), StringComparison.Ordinal);
        Assert.Contains("no templates 'other'", await Refused(HttpStatusCode.BadRequest, served.Picture, "a", "other"), StringComparison.Ordinal);
        Assert.Contains("not 'cosine'", await Refused(HttpStatusCode.BadRequest, served.Picture, "a", "none", "cosine"), StringComparison.Ordinal);
        Assert.Contains("9000 x 9000 pixels", await Refused(HttpStatusCode.BadRequest, Convert.FromBase64String(OfManyPixels), "a"), StringComparison.Ordinal);
        Assert.Contains("10 MB", await Refused(HttpStatusCode.RequestEntityTooLarge, new byte[(10 << 20) + 1000], "a"), StringComparison.Ordinal);
        using var other = new HttpRequestMessage(HttpMethod.Get, served.Url) { Headers = { Host = "elsewhere.example" } };
        Assert.Equal(HttpStatusCode.BadRequest, (await served.Http.SendAsync(other, End)).StatusCode);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await served.Http.PostAsJsonAsync("scores", "a", End)).StatusCode);
        await Ask(HttpStatusCode.OK, served.Picture, "a,b", "none", "softmax");
    }

    [Fact]
    public void A_model_that_cannot_be_read_and_a_wrong_option_end_the_program()
    {
        (int exitCode, _, string error) = BuiltProgram.Run(BuiltProgram.ZeroShotWeb, "--model", Path.Combine(served.Folder, "nowhere"), "--port", "0");
        Assert.Equal(1, exitCode);
        Assert.Contains("nowhere", error, StringComparison.Ordinal);
        string damaged = Path.Combine(served.Folder, "damaged.zip");
        File.WriteAllBytes(damaged, [.. File.ReadAllBytes(served.Zip).Take(5000)]);
        (exitCode, _, error) = BuiltProgram.Run(BuiltProgram.ZeroShotWeb, "--model", damaged, "--port", "0");
        Assert.True(exitCode == 1, error);
        Assert.Single(error.Trim().Split('\n')); // a message, not a stack
        (exitCode, _, error) = BuiltProgram.Run(BuiltProgram.ZeroShotWeb, "--model", served.Zip, "--port", served.Http.BaseAddress!.Port.ToString(CultureInfo.InvariantCulture));
        Assert.True(exitCode == 1, error);
        Assert.Contains("--port N", error, StringComparison.Ordinal);
        Assert.Equal(2, BuiltProgram.Run(BuiltProgram.ZeroShotWeb, "--models", "x").ExitCode);
    }

    [Fact]
    public async Task Without_a_model_it_trains_one_on_the_emoji_and_tells_how_far_it_is()
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [BuiltProgram.ZeroShotWeb, "--epochs", "2", "--port", "0"]) { RedirectStandardOutput = true })!;
        using var http = new HttpClient();
        try
        {
            http.BaseAddress = new Uri((await process.StandardOutput.ReadLineAsync(End))!.Split(' ')[0]);
            Assert.Contains("still in training", await Refused(HttpStatusCode.ServiceUnavailable, served.Picture, "a", http: http), StringComparison.Ordinal);
            JsonNode model;
            while (!(bool)(model = (await http.GetFromJsonAsync<JsonNode>("model", End))!)["isReady"]!)
                await Task.Delay(200, End);
            Assert.Equal((4, 4), ((int)model["step"]!, (int)model["totalSteps"]!));
            Assert.False((bool)model["hasSigmoid"]!);
            JsonArray examples = model["examples"]!.AsArray();
            byte[] emoji = await http.GetByteArrayAsync($"examples/{examples[0]!["file"]}", End);
            JsonNode said = await Ask(HttpStatusCode.OK, emoji, string.Join('\n', examples.Select(example => (string)example!["name"]!)), "none", "softmax", http);
            Assert.Equal(1, said["scores"]!.AsArray().Sum(score => (double)score!), 1e-4);
            Assert.Contains("without which sigmoid", await Refused(HttpStatusCode.BadRequest, emoji, "a", scores: "sigmoid", http: http), StringComparison.Ordinal);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task In_a_real_browser_a_dropped_picture_and_typed_words_give_bars()
    {
        await using HeadlessChromium? browser = await HeadlessChromium.OpenAsync(served.Url, End);
        Assert.SkipWhen(browser is null, "No Chromium is installed here.");
        await browser.WaitAsync("document.querySelector('#labels')?.value && !document.querySelector('#go').disabled", End);
        Assert.Equal(12, (int)(await browser.EvaluateAsync("document.querySelectorAll('#examples img').length", End))!);
        await browser.EvaluateAsync($"labels.value = '{string.Join("\\n", s_words)}'; templates.querySelector('[value=none]').click()", End);
        await browser.EvaluateAsync($$"""
            (() => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([Uint8Array.from(atob('{{Convert.ToBase64String(served.Picture)}}'), c => c.charCodeAt(0))], 'own.png', { type: 'image/png' }));
                document.querySelector('#drop').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
            })()
            """, End);
        await browser.WaitAsync("document.querySelectorAll('#bars li').length === 4", End);
        Assert.StartsWith("own.png", (string?)await browser.EvaluateAsync("document.querySelector('#picture-hint').textContent", End), StringComparison.Ordinal);

        JsonNode said = await Ask(HttpStatusCode.OK, served.Picture, string.Join(',', s_words), "none", "softmax");
        string[] expected = [.. s_words.Zip(said["scores"]!.AsArray().Select(score => (float)score!)).OrderByDescending(pair => pair.Second).Select(pair => $"{pair.First} {100 * pair.Second:f1} %")];
        Assert.Equal(expected, await Bars());

        // By keys alone: from the words, Ctrl+Enter; a word that comes twice is refused on the page.
        await browser.EvaluateAsync("labels.focus(); labels.value = 'dog, fox, dog'", End);
        await browser.PressAsync("Enter", 13, modifiers: 2, text: "\r", End);
        await browser.WaitAsync("!document.querySelector('#error').hidden", End);
        Assert.Contains("'dog' comes twice", (string?)await browser.EvaluateAsync("document.querySelector('#error').textContent", End), StringComparison.Ordinal);
        Assert.Empty(await Bars());
        await browser.EvaluateAsync("labels.value = 'dog, fox'; go.focus()", End);
        await browser.PressAsync("Enter", 13, modifiers: 0, text: "\r", End);
        await browser.WaitAsync("document.querySelectorAll('#bars li').length === 2", End);

        async Task<string[]> Bars() => [.. (await browser.EvaluateAsync("[...document.querySelectorAll('#bars li')].map(bar => bar.querySelector('.word').textContent + ' ' + bar.querySelector('.share').textContent)", End))!.AsArray().Select(bar => (string)bar!)];
    }

    private async Task<string> Refused(HttpStatusCode status, byte[] picture, string labels, string templates = "none", string scores = "softmax", HttpClient? http = null)
        => (string)(await Ask(status, picture, labels, templates, scores, http))["error"]!;

    private async Task<JsonNode> Ask(HttpStatusCode status, byte[] picture, string labels, string templates, string scores, HttpClient? http = null)
    {
        using var form = new MultipartFormDataContent
        {
            { new ByteArrayContent(picture), "picture", "own.png" }, { new StringContent(labels), "labels" }, { new StringContent(templates), "templates" }, { new StringContent(scores), "scores" },
        };
        using HttpResponseMessage answer = await (http ?? served.Http).PostAsync("scores", form, End);
        string said = await answer.Content.ReadAsStringAsync(End);
        Assert.True(answer.StatusCode == status, $"{answer.StatusCode} {said}");
        return JsonNode.Parse(said)!;
    }

    /// <summary>The program, started once on a free port.</summary>
    public sealed class Served : IAsyncLifetime
    {
        private Process? _process;

        public string Folder { get; } = Directory.CreateTempSubdirectory("zero-shot-web").FullName;

        public string Zip => Path.Combine(Folder, "model.zip");

        public byte[] Picture { get; private set; } = [];

        public string Url { get; private set; } = "";

        public HttpClient Http { get; } = new();

        public async ValueTask InitializeAsync()
        {
            string file = Path.Combine(Folder, "own.png");
            ToyClip.Rows(3)[2].Image!.Save(file);
            Picture = await File.ReadAllBytesAsync(file);
            var ml = new MLContext(1);
            IDataView data = ml.Data.LoadFromEnumerable(ToyClip.Rows(24));
            using (ImageTextTransformer model = ml.Transforms.ContrastivePretrain(
                [new("ImageVector", "Image"), new("TextVector", "Text")], new Clip { Objective = PairObjective.PairwiseSigmoid }, ToyClip.Shape, new TrainingOptions { Steps = 2, BatchSize = 8 }).Fit(data))
                ml.Model.Save(model, data.Schema, Zip);
            _process = Process.Start(new ProcessStartInfo("dotnet", [BuiltProgram.ZeroShotWeb, "--model", Zip, "--port", "0"]) { RedirectStandardOutput = true })!;
            Url = (await _process.StandardOutput.ReadLineAsync())?.Split(' ')[0] + "/";
            Http.BaseAddress = new Uri(Url);
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            _process?.Kill();
            await (_process?.WaitForExitAsync() ?? Task.CompletedTask);
            _process?.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }
}
