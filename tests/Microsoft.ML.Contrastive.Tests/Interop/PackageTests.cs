using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// What someone meets who references only the package: it is packed, restored from a local folder into a project outside the
/// repository, and that program (PackageConsumer/Program.cs.txt) runs twice.
/// </summary>
[Trait("speed", "slow")]
public sealed class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    private static string Shim => Path.Combine("runtimes", "linux-x64", "native", "libLibTorchSharp.so");

    [Fact]
    public void The_package_holds_the_library_the_build_logic_and_no_native_back_end()
    {
        using ZipArchive package = ZipFile.OpenRead(feed.Package);
        Assert.Equal(
            ["README.md", "buildTransitive/ContrastiveML.targets", "buildTransitive/ElfVersionNeeds.cs", "lib/net10.0/Microsoft.ML.Contrastive.dll", "lib/net10.0/Microsoft.ML.Contrastive.xml"],
            package.Entries.Select(entry => entry.FullName).Where(name => name.StartsWith("README", StringComparison.Ordinal) || name.StartsWith("build", StringComparison.Ordinal) || name.StartsWith("lib", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        using var reader = new StreamReader(package.GetEntry("ContrastiveML.nuspec")!.Open());
        Assert.DoesNotContain("libtorch", reader.ReadToEnd(), StringComparison.OrdinalIgnoreCase);
        Assert.True(File.Exists(Path.ChangeExtension(feed.Package, ".snupkg")), "No symbol package.");
    }

    [Fact]
    public void A_program_with_the_package_and_a_back_end_saves_and_another_process_loads()
    {
        string program = feed.BuildProgram("program", withBackEnd: true);
        if (OperatingSystem.IsLinux())
            Assert.Contains(ElfVersionNeeds.Read(File.ReadAllBytes(Path.Combine(program, Shim))), need => need.IsWeak);
        feed.Run(program, "save");
        feed.Run(program, "load");
    }

    [Fact]
    public void Where_the_build_did_not_treat_the_native_library_the_program_does_when_it_starts()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only the Linux file is treated.");
        // The same project as above: switching replaces the file in the output folder, whichever test comes first.
        string program = feed.BuildProgram("program", withBackEnd: true, "-p:DisableLibTorchSharpPatch=true");
        Assert.DoesNotContain(ElfVersionNeeds.Read(File.ReadAllBytes(Path.Combine(program, Shim))), need => need.IsWeak);
        string cache = Path.Combine(feed.Folder, "cache"), copies = Path.Combine(cache, "ContrastiveML", "native");
        feed.Run(program, "save", ("XDG_CACHE_HOME", cache));
        if (!Directory.Exists(copies))
            return; // this system has a newer libstdc++, so the file loads as it is

        string copy = Assert.Single(Directory.GetFiles(copies));
        byte[] whole = File.ReadAllBytes(copy);
        File.WriteAllBytes(copy, new byte[whole.Length]);
        feed.Run(program, "load", ("XDG_CACHE_HOME", cache));
        Assert.Equal(whole, File.ReadAllBytes(copy)); // a damaged copy is replaced, not loaded

        feed.Run(program, "load", ("XDG_CACHE_HOME", "/proc/nowhere")); // no place for a copy that stays
    }

    [Fact]
    public void Without_a_back_end_one_sentence_says_what_to_add()
    {
        string program = feed.BuildProgram("bare", withBackEnd: false);
        string output = feed.Run(program, "save", succeeds: false);
        string message = Assert.Single(output.Split('\n'), line => line.Contains("InvalidOperationException", StringComparison.Ordinal));
        Assert.Contains("add the package libtorch-cpu-", message, StringComparison.Ordinal);
        Assert.DoesNotContain("LoadNativeBackend", output, StringComparison.Ordinal);
    }

    /// <summary>The package in a folder of its own, and the projects that restore it from there.</summary>
    public sealed class Feed : IDisposable
    {
        // Unique, so that no cache knows it.
        private readonly string version = $"0.0.0-test.{DateTime.UtcNow.Ticks}";

        public Feed()
        {
            string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
            string output = Dotnet(AppContext.BaseDirectory, "pack", Path.Combine(Repository.Root, "src", "Microsoft.ML.Contrastive"), "--no-build", "-c", configuration, "-o", PackageFolder, $"-p:MinVerVersionOverride={version}");
            Assert.DoesNotContain("warning", output, StringComparison.OrdinalIgnoreCase);

            // The package is unpacked here; all others come from the user's own folder, which stays as it is.
            string known = Dotnet(AppContext.BaseDirectory, "nuget", "locals", "global-packages", "--list").Split(':', 2)[1].Trim();
            Write("nuget.config", $"""
                <configuration>
                  <config><add key="globalPackagesFolder" value="{Path.Combine(Folder, "unpacked")}" /></config>
                  <fallbackPackageFolders><add key="known" value="{known}" /></fallbackPackageFolders>
                  <packageSources><add key="test" value="{PackageFolder}" /></packageSources>
                </configuration>
                """);
            foreach (string file in new[] { "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props" })
                Write(file, "<Project />"); // whatever stands above the temporary folder
        }

        public string Folder { get; } = Directory.CreateTempSubdirectory("contrastive-package-").FullName;

        public string Package => Path.Combine(PackageFolder, $"ContrastiveML.{version}.nupkg");

        private string PackageFolder => Path.Combine(Folder, "packages");

        public void Dispose() => Directory.Delete(Folder, recursive: true);

        /// <summary>Builds the consumer's program and returns its output folder.</summary>
        internal string BuildProgram(string name, bool withBackEnd, params string[] arguments)
        {
            string backEnd = OperatingSystem.IsWindows() ? "libtorch-cpu-win-x64" : OperatingSystem.IsMacOS() ? "libtorch-cpu-osx-arm64" : "libtorch-cpu-linux-x64";
            Write(Path.Combine(name, "Program.cs"), File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Interop", "PackageConsumer", "Program.cs.txt")));
            Write(Path.Combine(name, $"{name}.csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <OutputType>Exe</OutputType>
                    <TargetFramework>net10.0</TargetFramework>
                    <ImplicitUsings>enable</ImplicitUsings>
                    <Nullable>enable</Nullable>
                  </PropertyGroup>
                  <ItemGroup>
                    <PackageReference Include="ContrastiveML" Version="{version}" />
                    {(withBackEnd ? $"""<PackageReference Include="{backEnd}" Version="{LibTorchVersion}" />""" : "")}
                  </ItemGroup>
                </Project>
                """);
            string project = Path.Combine(Folder, name);
            // Links spare half a gigabyte of copying where the temporary folder is on the same disk.
            Dotnet(project, ["build", "-o", "out", "-p:CreateHardLinksForCopyLocalIfPossible=true", .. arguments]);
            return Path.Combine(project, "out");
        }

        internal string Run(string program, string verb, (string Name, string Value) variable) => Run(program, verb, true, variable);

        internal string Run(string program, string verb, bool succeeds = true, params (string Name, string Value)[] variables)
        {
            string name = Path.GetFileName(Path.GetDirectoryName(program)!);
            (int code, string output) = Start(program, variables, $"{name}.dll", verb, Folder);
            Assert.True(code == 0 == succeeds, $"{name} {verb} ended with {code}:\n{output}");
            return output;
        }

        private static string Dotnet(string folder, params string[] arguments)
        {
            (int code, string output) = Start(folder, [], arguments);
            Assert.True(code == 0, $"dotnet {string.Join(' ', arguments)} ended with {code}:\n{output}");
            return output;
        }

        private static (int Code, string Output) Start(string folder, (string Name, string Value)[] variables, params string[] arguments)
        {
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
            // What `dotnet test` set for itself would mislead a build inside it.
            foreach (string variable in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)).ToArray())
                start.Environment.Remove(variable);
            // A server that lives on would hold our end of the pipes open.
            start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
            start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
            start.Environment["UseSharedCompilation"] = "false";
            start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
            foreach ((string name, string value) in variables)
                start.Environment[name] = value;

            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"dotnet {string.Join(' ', arguments)} did not end within five minutes.");
            }

            return (process.ExitCode, output.Result + errors.Result);
        }

        /// <summary>As Directory.Packages.props pins it; the test project hands it on.</summary>
        private static string LibTorchVersion
            => typeof(Feed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "LibTorchVersion").Value!;

        private void Write(string path, string text)
        {
            string full = Path.Combine(Folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, text);
        }
    }
}
