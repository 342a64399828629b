using System.Globalization;
using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The library beside Python's libraries and ONNX Runtime, on the same machine in the same minutes: rounds of both in turn, one table.</summary>
internal static class Compare
{
    public static IReadOnlyList<Item> Items { get; } =
    [
        StepItems.ResNet, StepItems.SmallConvNet, .. ViewItems.All, PictureItems.Epoch, .. TextItems.Steps, .. TextItems.Embedding, .. PictureItems.Featurizing,
        .. NeighbourItems.All, StepItems.Mlp,
    ];

    /// <summary>0 when each item ran and agreed with its peer, 1 when one did not, 2 where the options are wrong. Missed floors are said, not counted.</summary>
    public static int Run(string[] args)
    {
        try
        {
            return RunAll(CompareOptions.Parse(args));
        }
        catch (Exception error) when (error is BenchmarkException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    private static int RunAll(CompareOptions options)
    {
        Directory.CreateDirectory(options.Out);
        string json = Path.Combine(options.Out, "compare.json"), markdown = Path.Combine(options.Out, "compare.md");
        Dictionary<string, CompareRow> rows = CompareRow.ReadAll(json).ToDictionary(row => row.Name);
        if (options.Installs)
            PeerPackages.Install(Console.WriteLine);
        NativeTorch.EnsureLoaded();
        CLibrary.KeepFreedMemory(); // peers have the same, see Peer
        set_num_threads(options.Threads);
        var machine = Machine.Measure(options.Threads);
        Console.WriteLine($"{machine.Description}\n{string.Create(CultureInfo.InvariantCulture, $"ours: {machine.Gflops:f0} GFLOPS, copy {machine.CopyRate:f1} GB/s")}\n{machine.Peer}");
        foreach (Item item in options.Items)
        {
            if (options.IsNamed || rows.GetValueOrDefault(item.Name) is not { Missing: null } kept || (kept.Quick && !options.Quick))
            {
                rows[item.Name] = Measure(item, machine, options);
                CompareRow[] ordered = [.. Items.Select(each => rows.GetValueOrDefault(each.Name)).OfType<CompareRow>()];
                CompareRow.WriteAll(json, machine, ordered); // what is there can be read while the others run
                AtomicFile.Write(markdown, stream => stream.Write(Encoding.UTF8.GetBytes(CompareTable.Markdown(machine, ordered))));
            }
            Console.WriteLine(CompareTable.Line(rows[item.Name]));
        }
        Console.WriteLine($"{markdown} and compare.json have {rows.Count} of {Items.Count} items.");
        return options.Items.All(item => rows[item.Name] is { Missing: null, Agrees: true }) ? 0 : 1;
    }

    private static CompareRow Measure(Item item, Machine machine, CompareOptions options)
    {
        var row = new CompareRow { Name = item.Name, What = item.What, Against = item.Against, Unit = item.Unit, Floor = item.Floor, Aim = item.Aim };
        using var workshop = new Workshop(options.Threads, options.Quick);
        using var scope = NewDisposeScope();
        try
        {
            using Contest contest = item.Open(workshop);
            set_num_threads(contest.Threads);
            int rounds = options.Rounds ?? (options.Quick ? 2 : item.Rounds);
            double? difference = contest.Check.AfterRounds ? null : contest.Check.Difference();
            if (!contest.Check.AfterRounds)
                (_, _) = (contest.Ours(), contest.Theirs()); // warm
            (double Ours, double Theirs)[] times = [.. Enumerable.Range(0, rounds).Select(_ => (contest.Ours(), contest.Theirs()))];
            row = row with
            {
                Quick = options.Quick,
                Threads = contest.Threads,
                Ours = [.. times.Select(each => each.Ours)],
                Theirs = [.. times.Select(each => each.Theirs)],
                Checked = contest.Check.What,
                Difference = difference ?? contest.Check.Difference(),
                Limit = contest.Check.Limit,
                Versions = contest.Versions,
                Date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            };
            double? gflops = contest.Operations / row.OurMedian / 1e9;
            return row with { Gflops = gflops, ShareOfPeak = gflops / machine.Gflops };
        }
        catch (Exception error) when (error is BenchmarkException or System.ComponentModel.Win32Exception or FewLabels.DataException)
        {
            return row with { Missing = error.Message };
        }
        finally
        {
            set_num_threads(options.Threads);
        }
    }
}
